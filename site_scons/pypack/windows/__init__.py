"""What only programs for Windows have: resources, and import libraries made from DLLs."""
