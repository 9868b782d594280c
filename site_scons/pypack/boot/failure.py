# What the bootstrap calls when a program has ended with an exception. Where that may come of a file of the cache that is
# missing or cut, the launcher compares them all with the bundle, and tells what is damaged and what repairs it. Else the
# exception is told as Python does, without the lines of the bootstrap. Only modules that are built in are imported: any
# other may be the damaged one.
import sys


def tell(error, boot, bundle, here):
    system = sys.modules.get("posix") or sys.modules["nt"]
    layers = here[: here[:-1].replace("\\", "/").rindex("/") + 1]
    word = suspicion(error, boot, layers, system)
    code = look(word, bundle, layers, system) if word else 0
    if code:
        raise SystemExit(code)
    trace = error.__traceback__
    while trace and from_bootstrap(trace.tb_frame.f_code.co_filename, boot):
        trace = trace.tb_next
    error.__traceback__ = trace
    sys.last_type, sys.last_value, sys.last_traceback = type(error), error, trace
    if sys.version_info >= (3, 12):
        sys.last_exc = error
    sys.excepthook(type(error), error, trace)
    raise SystemExit(1)


def from_bootstrap(name, boot):
    return name in ("<pypack>", boot) or name.startswith("<frozen importlib")


def suspicion(error, boot, layers, system):
    # What is to be compared: "check" all of it, "check-app" the program's own files, "" nothing.
    found = ""
    for _ in range(20):
        if error is None:
            break
        word = one_suspicion(error, boot, layers, system)
        if word == "check":
            return word
        found = found or word
        error = error.__cause__ or error.__context__
    return found


def one_suspicion(error, boot, layers, system):
    if isinstance(error, ModuleNotFoundError):
        return "check" if is_bundled((error.name or "").partition(".")[0], layers, system) else "check-app"
    if isinstance(error, ImportError) and not error.path:  # a folder without its __init__ is a module without a path
        return "check" if is_bundled((error.name or "").partition(".")[0], layers, system) else ""
    if isinstance(error, ImportError):
        return "check" if is_inside(error.path, layers) else ""
    if isinstance(error, (SyntaxError, OSError)):
        return "check" if is_inside(error.filename, layers) else ""
    if isinstance(error, AttributeError):
        names = getattr(getattr(error, "obj", None), "__dict__", {})
        if "__path__" in names and not names.get("__file__"):
            return "check"
    trace, last = error.__traceback__, ""
    while trace:
        last, trace = trace.tb_frame.f_code.co_filename, trace.tb_next
    return "check" if from_bootstrap(last, boot) else ""  # bytecode that is cut; facts that are not there


def is_inside(path, layers):
    return isinstance(path, str) and path.startswith(layers)


def is_bundled(name, layers, system):
    # A module of the standard library, or one that a package brings: its folder is there, or its RECORD names it.
    if not name or name in getattr(sys, "stdlib_module_names", (name,)):
        return True
    for folder in sys.path:
        if is_inside(folder, layers):
            try:
                names = system.listdir(folder)
            except OSError:
                return True
            if name in names or any(is_recorded(name, folder, each) for each in names if each.endswith(".dist-info")):
                return True
    return False


def is_recorded(name, folder, entry):
    try:
        with open(folder + "/" + entry + "/RECORD", encoding="utf-8") as stream:
            return any(line.startswith((name + "/", name + ".")) for line in stream)
    except OSError:
        return True  # it is missing


def look(word, bundle, layers, system):
    # The launcher tells on standard error what it finds; 0 where that is nothing, or it cannot be asked.
    root = layers.rpartition("layers")[0][:-1]
    try:
        if system.__name__ == "nt":
            names = dict(system.environ, PYPACK_SELF=word, PYPACK_CACHE_DIR=root)
            return system.spawnve(0, bundle, [bundle], names)
        names = dict(system.environ)
        names[b"PYPACK_SELF"] = word.encode()
        names[b"PYPACK_CACHE_DIR"] = root.encode("utf-8", "surrogateescape")
        status = system.waitpid(system.posix_spawn(bundle, [bundle], names), 0)[1]
    except (OSError, AttributeError):
        return 0
    return status >> 8 if status & 127 == 0 else 0
