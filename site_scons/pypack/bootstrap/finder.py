# How modules are found and loaded in layers. When a bundle is built this stands in front of start.py, in the same file.
#
# Nothing ever changes in a layer, and its bytecode is never compared with sources. CPython's own finder looks at a folder's time
# for each import and at up to four files for a package, and its loader at the source before it opens the bytecode: in a program
# of 300 modules that is half of all system calls. These look at a folder once and open the bytecode at once. Whatever is not as
# a build leaves it goes CPython's way, and so do folders outside of the layers.


def find_in_layers(layers, separator, system, own, library="", ending=".py"):
    """Take over all folders below ``layers`` (which ends in a separator) and ``own``, the environment's site-packages.

    ``library`` is the standard library's folder, in files that end in ``ending``: what every start imports from it is
    found without a look at what else is there. Return the loader of sources.
    """
    import sys

    import _frozen_importlib_external as external

    finders = sys.path_importer_cache
    loader = loader_of_sources(layers, separator, system, external, sys)
    finder_of, nothing = finder_of_folders(loader, separator, system, external, sys)

    def hook(path):
        if isinstance(path, str) and (path.startswith(layers) or path == own or path.startswith(own + separator)):
            finder = finder_of(path)
            if finder.look() is not nothing:  # a zip file is another hook's
                return finder
        raise ImportError("not a folder of the bundle's layers", path=path)

    sys.path_hooks.insert(0, hook)
    for path in [path for path in finders if path.startswith(layers)]:
        del finders[path]
    if library:
        codecs = library + separator + "encodings"
        modules = ("aliases", "utf_8", "__init__")
        files = [name + ending for name in modules]
        for path, known, names in ((library, ("encodings",), ("encodings",)), (codecs, modules, files)):
            finder = finders[path] = finder_of(path)
            finder.known, finder.names = known, frozenset(names)
    return loader


def loader_of_sources(layers, separator, system, external, sys):
    """Return a loader that opens the bytecode of a source at once, without a look at the source."""
    import _imp
    import marshal

    loads, mend_path = marshal.loads, _imp._fix_co_filename
    opened, told, read, close = system.open, system.fstat, system.read, system.close
    flags = system.O_RDONLY | getattr(system, "O_BINARY", 0)
    unchecked = external.MAGIC_NUMBER + b"\1\0\0\0"  # PEP 552
    level = ".opt-%d" % sys.flags.optimize if sys.flags.optimize else ""  # PEP 488
    bytecode, tail = separator + "__pycache__" + separator, ".%s%s.pyc" % (sys.implementation.cache_tag, level)
    cpythons = external.SourceFileLoader.get_code

    def content(path):
        descriptor = opened(path, flags)
        try:
            return read(descriptor, told(descriptor).st_size)
        finally:
            close(descriptor)

    def compiled_path(path):
        folder, _, file = path.rpartition(separator)
        return folder + bytecode + file[:-3] + tail

    class Loader(external.SourceFileLoader):
        def __init__(self, fullname, path):
            self.name, self.path, self.compiled = fullname, path, compiled_path(path)

        def get_code(self, name):
            try:
                data = content(self.compiled)
                if data[:8] != unchecked:
                    return cpythons(self, name)
                code = loads(memoryview(data)[16:])
                mend_path(code, self.path)
                return code
            except Exception:  # no bytecode, or a damaged one
                return cpythons(self, name)

        def set_data(self, path, data, **more):
            if not path.startswith(layers):  # nothing is ever written into a layer, by root neither
                super().set_data(path, data, **more)

    return Loader


def finder_of_folders(source_loader, separator, system, external, sys):
    """Return a finder that looks at a folder once, and what its ``look`` returns for what is no folder."""
    import _imp

    listed, finders, spec_of = system.listdir, sys.path_importer_cache, type(sys.__spec__)
    loaders = [(each, external.ExtensionFileLoader) for each in _imp.extension_suffixes()]
    loaders += [(".py", source_loader), (".pyc", external.SourcelessFileLoader)]
    beginnings = [("__init__" + suffix, loader) for suffix, loader in loaders]
    nothing = frozenset([""])  # no file has that name

    def described(name, kind, path, folders):
        loader = kind(name, path)
        spec = spec_of(name, loader, origin=path)
        spec.has_location = True
        spec.submodule_search_locations = folders
        if kind is source_loader:
            spec.cached = loader.compiled  # else CPython works it out, in more steps
        return spec

    class Finder(external.FileFinder):
        known = ()  # modules that are found without a look at the folder; then ``names`` are those of their files

        def __init__(self, path):
            self.path = path
            self.names = None

        def invalidate_caches(self):
            self.names, self.known = None, ()

        def look(self):
            try:
                self.names = frozenset(listed(self.path))
            except OSError:
                self.names = nothing
            return self.names

        def find_spec(self, fullname, target=None):
            names = self.names
            if names is None:
                names = self.look()
            name = fullname.rpartition(".")[2]
            if self.known and name not in self.known:
                self.known, names = (), self.look()
            portion = None
            if name in names:
                folder = self.path + separator + name
                inside = finders.get(folder)
                if type(inside) is not Finder:
                    inside = finders[folder] = Finder(folder)
                found = inside.look() if inside.names is None else inside.names
                for file, loader in beginnings:
                    if file in found:
                        return described(fullname, loader, folder + separator + file, [folder])
                if found is not nothing:
                    portion = spec_of(fullname, None)  # of a namespace package
                    portion.submodule_search_locations = [folder]
            for suffix, loader in loaders:
                if name + suffix in names:
                    return described(fullname, loader, self.path + separator + name + suffix, None)
            return portion

    return Finder, nothing
