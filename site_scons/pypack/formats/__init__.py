"""Files on disk: tar images, archives, ELF, PE and Mach-O, scripts; readers and writers, no policy."""
