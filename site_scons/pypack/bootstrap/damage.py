# What of the layers is damaged: files are compared with the list that lies with each layer (docs/bundle-format.md).
# When a bundle is built this stands in front of failure.py, in the same file.
import sys

ENOENT = 2
LIBRARIES = (".so", ".dylib", ".dll", ".pyd")
CODE = (".py", ".pyc") + LIBRARIES
MISSING, OTHER = "is missing", "is not what was unpacked"


def layers_of(folders):
    found = []
    for folder in folders:
        found.append(Layer(folder, found))
    return found


class Layer:
    # `among`: the layers of the program, the app's first
    def __init__(self, folder, among):
        self.system = sys.modules.get("posix") or sys.modules["nt"]
        self.folder, self.among, self.first = folder, among, not among
        self.list = "files" if self.first else ".pypack-files"
        self.plain = absolute(folder, self.system)
        self.known = self.damaged = self.hashers = None

    def path(self, inside):
        return self.folder + ("/" + inside if self.system.__name__ != "nt" else "\\" + inside.replace("/", "\\"))

    def info(self, inside):
        # What the system says of a file; None: it is not there, False: it cannot be looked at.
        try:
            return self.system.lstat(self.path(inside) if inside else self.folder)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError:
            return False

    def files(self):
        # Size and hash of each file by its path; `damaged` says what is wrong with the list itself.
        if self.known is None:
            self.known = {}
            try:
                self.known = listed(b"".join(pieces(self.path(self.list), self.system)))
            except ValueError:
                self.damaged = OTHER
            except OSError as error:
                self.damaged = MISSING if error.errno == ENOENT else None
        return self.known

    def file(self, inside, content=True):
        # Yield what is wrong with a listed file.
        if inside in self.files():
            size, digest = self.files()[inside]
            info = self.info(inside)
            if info is None:
                yield self, inside, MISSING
            elif info and (info.st_mode & 0o170000 != 0o100000 or info.st_size != size):
                yield self, inside, OTHER
            elif info and content and digest != self.digest(inside, digest):
                yield self, inside, OTHER

    def code(self, inside):
        # The same for a module: where there is sound bytecode its source is never read, it must only be there.
        folder, _, file = inside.rpartition("/")
        level = ".opt-%d" % sys.flags.optimize if sys.flags.optimize else ""
        stem = "__pycache__/%s.%s%s.pyc" % (file[:-3], sys.implementation.cache_tag, level)
        compiled = join(folder, stem) if file.endswith(".py") else ""
        if compiled in self.files() and self.info(compiled):
            yield from self.file(compiled)
            if self.info(inside) is None:
                yield from self.file(inside)
        else:
            yield from self.file(inside)

    def folder_of(self, inside):
        # A folder that is gone with all that is listed below it.
        if self.info(inside) is None and any(each.startswith(inside + "/") for each in self.files()):
            yield self, inside, MISSING

    def digest(self, inside, unknown):
        # The beginning of a file's hash; `unknown` where it cannot be read, or nothing here can compute it.
        main = self.among[0]
        if main.hashers is None:
            main.hashers = [hasher(self.among)]
        if main.hashers[0] is None:
            return unknown
        digest = main.hashers[0]()
        try:
            for piece in pieces(self.path(inside), self.system):
                digest.update(piece)
        except OSError:
            return unknown
        return digest.hexdigest()[: len(unknown)]


def listed(data):
    # A list that is cut, or is none, is a ValueError: its last line says how many are in front of it.
    *lines, count, end = [b"", b""] + data.split(b"\n")
    if end or not count.isdigit() or int(count) != len(lines) - 2:
        raise ValueError("not a list of files")
    found = {}
    for line in lines[2:]:
        size, digest, path = line.split(b" ", 2)
        found[path.replace(b"\\n", b"\n").decode("utf-8", "surrogateescape")] = int(size), digest.decode("ascii")
    return found


def pieces(path, system):
    descriptor = system.open(path, system.O_RDONLY | getattr(system, "O_BINARY", 0) | getattr(system, "O_CLOEXEC", 0))
    try:
        while True:
            piece = system.read(descriptor, 1 << 20)
            if not piece:
                return
            yield piece
    finally:
        system.close(descriptor)


def hasher(layers):
    # sha256 of what is loaded or built in, else of the runtime's own module if that has its size; None: sizes must do.
    for name in ("_sha2", "_sha256", "_hashlib"):
        module = sys.modules.get(name)
        if module is None and name in sys.builtin_module_names:
            module = __import__(name)
        found = getattr(module, "sha256", None) or getattr(module, "openssl_sha256", None)
        if found:
            return found
    for layer in layers:
        for inside in layer.files():
            name = inside.rpartition("/")[2].partition(".")[0]
            if name in ("_sha2", "_sha256") and is_library(inside) and not any(layer.file(inside, content=False)):
                try:
                    return extension(name, layer.path(inside)).sha256
                except Exception:
                    return None
    return None


def extension(name, path):
    import _frozen_importlib_external as external
    import _imp

    module = _imp.create_dynamic(type(sys.__spec__)(name, external.ExtensionFileLoader(name, path), origin=path))
    _imp.exec_dynamic(module)
    return module


def inside_of(name, layers):
    # The layer that a path is in, and the path inside of it with "/"; or None. Links above a layer are seen through.
    path = absolute(name, layers[0].system) if layers else None
    if path is None:
        return None
    for layer in layers:
        size = len(layer.plain)
        if path[size : size + 1] in ("", "/") and same(path[:size], layer.plain, layer.system):
            return layer, path[size + 1 :]
    for layer in layers:
        above, found, inside = path.partition(layer.plain[layer.plain.rindex("/") :] + "/")
        if found:
            try:
                infos = [layer.system.stat(each) for each in (above + found[:-1], layer.folder)]
            except OSError:
                continue
            if len({(info.st_dev, info.st_ino) for info in infos}) == 1:
                return layer, inside
    return None


def same(path, other, system):
    return path == other or (system.__name__ == "nt" and path.lower() == other.lower())


def absolute(name, system):
    # A path from the root with "/", without "." and ".."; None for what is no path.
    name = text_of(name)
    if not isinstance(name, str) or not 0 < len(name) < 32768 or "\0" in name:
        return None
    windows = system.__name__ == "nt"
    path = bare(name).replace("\\", "/") if windows else name
    if not path.startswith("/") and not (windows and path[1:2] == ":"):
        try:
            path = absolute(system.getcwd(), system) + "/" + path
        except OSError:
            return None
    parts = []
    for part in path.split("/"):
        if part == "..":
            del parts[max(1, len(parts) - 1) :]
        elif part not in ("", ".") or not parts:
            parts.append(part)
    return "/".join(parts)


def join(folder, name):
    return folder + "/" + name if folder else name


def bare(path):
    if path.startswith("\\\\?\\UNC\\"):
        return "\\" + path[7:]
    return path[4:] if path.startswith("\\\\?\\") else path


def text_of(name):
    return name.decode("utf-8", "surrogateescape") if isinstance(name, bytes) else name
