# What the bootstrap asks when a program has ended with an exception, once its traceback has been told: does that come of
# a file of the cache that is missing or is another one now? Each layer holds a list of its files with their sizes and
# hashes (docs/bundle-format.md); files that have to do with the exception are compared with it, in this process: nothing
# is started. Only modules that are built in are imported: any other may be the damaged one.
#
# When a bundle is built damage.py stands in front of this, in the same file.
import sys

DAMAGED = 111
READ_ONLY = (1, 13, 30)  # EPERM, EACCES, EROFS; the same numbers on every system
STARTING = ("_execute_child", "_posix_spawn", "_execvpe")  # functions of subprocess and os


def explain(error, layers, program, verify_hint):
    # What people should know of an exception besides its traceback, as lines of text, or None. `layers` are the folders
    # of the program's layers without a separator at the end, the app's first; `verify_hint` says whether the program
    # looks at PYPACK_SELF. Never raises.
    found = examine(error, layers, program, verify_hint)
    return found[0] if found else None


def examine(error, layers, program, verify_hint):
    # The same with the exit code that belongs to it: (text, DAMAGED), (text, 1), or None.
    try:
        if not isinstance(error, Exception):  # Ctrl-C, sys.exit
            return None
        layers = layers_of(layers)
        errors = chain(error)
        for each in errors:
            for layer, inside, words in faults(each, layers):
                return damage(layer, inside, words, program, verify_hint), DAMAGED
        for each in errors:
            for layer, inside in refused(each, layers):
                return hint(bare(layer.path(inside)), program), 1
    except Exception:  # the program's own exception has been told, and nothing may hide it
        pass
    return None


def damage(layer, inside, words, program, verify_hint):
    path = bare(layer.path(inside) if inside else layer.folder)
    told = "%s: the program's own files are damaged, and that may be why: %s %s\n" % (program, path, words)
    if verify_hint:
        return told + "  -> start it once with PYPACK_SELF=verify, which repairs that, then again as ever\n"
    return told + "  -> remove the folder %s, then start the program again\n" % bare(layer.folder)


def hint(path, program):
    told = "%s: %s is among the program's own files, which are read-only since programs share them\n" % (program, path)
    return (
        told + "  -> tell whoever made it: data belongs into a folder of the user; the package platformdirs names it\n"
    )


def chain(error):
    # An exception, those that led to it, and those in a group: the first 20.
    found, waiting = [], [error]
    while waiting and len(found) < 20:
        each = waiting.pop(0)
        if isinstance(each, BaseException) and not any(each is other for other in found):
            found.append(each)
            waiting += [each.__cause__, each.__context__]
            group = getattr(each, "exceptions", ())  # since 3.11
            waiting += group if isinstance(group, (tuple, list)) else ()
    return found


def faults(error, layers):
    # Yield (layer, path inside, words) of what is damaged and has to do with this exception.
    if isinstance(error, OSError) and error.errno in READ_ONLY:
        return
    text, frame = str(error), last_frame(error)
    machinery = is_machinery(frame, layers)
    if isinstance(error, ImportError):
        yield from of_modules(asked_for(error, text), layers)
        yield from of_file(error.path, layers)
        yield from of_libraries(error, text, layers)
    if isinstance(error, (OSError, SyntaxError)):
        for name in names(error):
            yield from of_file(name, layers, whole=True)
    if isinstance(error, OSError) and error.errno is None:  # dlopen, by way of ctypes
        yield from of_libraries(error, text, layers)
    module = None
    if isinstance(error, AttributeError):
        module = getattr(error, "obj", None)  # since 3.10
        module = sys.modules.get(quoted(text, "module ")) if module is None else module
        yield from of_module(module, layers)
    if isinstance(error, LookupError) and text.startswith("unknown encoding: "):
        name = text[18:].strip("'\"").lower().replace("-", "_").replace(" ", "_")
        aliases = getattr(sys.modules.get("encodings.aliases"), "aliases", {})
        yield from of_modules(["encodings." + aliases.get(name, name)], layers)
    if isinstance(error, (NameError, SystemError)) and frame:  # what a damaged file of code does
        yield from of_file(frame.f_code.co_filename, layers)
    if machinery and not isinstance(error, ImportError) and not isinstance(module, type(sys)):
        yield from of_machinery(error, layers)
    if isinstance(error, ImportError) or machinery or any(inside_of(each, layers) for each in names(error)):
        yield from of_lists(layers)


def refused(error, layers):
    # Yield (layer, path inside) of what a program was not let write. Starting a program is no writing.
    if isinstance(error, OSError) and error.errno in READ_ONLY:
        frame = last_frame(error)
        if frame is None or frame.f_code.co_name not in STARTING:
            yield from (place for place in (inside_of(name, layers) for name in names(error)) if place)


def names(error):
    # Of the files that an OSError or a SyntaxError is about.
    return [getattr(error, each, None) for each in ("filename", "filename2")]


def last_frame(error):
    trace, frame = error.__traceback__, None
    while trace:
        frame, trace = trace.tb_frame, trace.tb_next
    return frame


def is_machinery(frame, layers):
    # Is it the import system, or the bootstrap, that raised it? Theirs are all files of the app's layer but the app's.
    if frame is None:  # the lines of these are taken out of a traceback
        return True
    name = frame.f_code.co_filename
    place = inside_of(name, layers)
    own = place and place[0].first and not place[1].startswith("app/")
    return bool(own) or name == "<pypack>" or name.startswith("<frozen importlib")


def asked_for(error, text):
    # The modules that an import did not find: "from PACKAGE import NAME" may have meant a module too.
    name = error.name if isinstance(error.name, str) else ""
    if not name or isinstance(error, ModuleNotFoundError):
        return [name] if name else []
    wanted = getattr(error, "name_from", None) or quoted(text, "cannot import name ")  # name_from: since 3.12
    return [name, name + "." + wanted] if isinstance(wanted, str) and wanted else [name]


def quoted(text, before):
    # The word in single quotes behind `before`, or "".
    rest = text[len(before) :] if text.startswith(before) else ""
    return rest[1:].partition("'")[0] if rest.startswith("'") else ""


def of_modules(wanted, layers):
    # A module that a layer lists, in a folder where it was looked for; the packages above it too.
    for name in wanted:
        folders = [place for place in (inside_of(entry, layers) for entry in sys.path) if place]
        above = ""
        for part in name.split("."):
            above = above + "." + part if above else part
            module = sys.modules.get(above)
            file, path = getattr(module, "__file__", None), getattr(module, "__path__", None)
            if file and not inside_of(file, layers):  # it comes from elsewhere
                folders = []
            for layer, folder in folders:
                yield from of_name(layer, join(folder, part))
            if path is not None:
                folders = [place for place in (inside_of(entry, layers) for entry in path) if place]
            else:
                folders = [(layer, join(folder, part)) for layer, folder in folders]


def of_name(layer, path):
    import _imp

    listed = layer.files()
    suffixes = _imp.extension_suffixes() + [".py", ".pyc"]
    found = [each for each in (path + "/__init__", path) if any(each + suffix in listed for suffix in suffixes)]
    for each in found:
        for suffix in suffixes:
            yield from layer.code(each + suffix)
    if not found:  # a package without __init__
        yield from layer.folder_of(path)


def of_module(module, layers):
    # A module that is there and lacks something.
    if isinstance(module, type(sys)):
        if getattr(module, "__file__", None):
            yield from of_file(module.__file__, layers)
        elif getattr(module, "__path__", None):
            yield from of_modules([module.__name__], layers)


def of_file(name, layers, whole=False):
    # A file that an exception names. `whole`: it was read itself; else a source counts only where no bytecode does.
    place = inside_of(name, layers)
    if place:
        layer, inside = place
        if inside in layer.files():
            yield from layer.file(inside) if whole else layer.code(inside)
        else:
            yield from layer.folder_of(inside)


def of_libraries(error, text, layers):
    # A library that could not be loaded: each system's text names it or the one that needs it, but for Windows' text.
    path = getattr(error, "path", None)
    if path and not inside_of(path, layers):
        return
    every = bool(path) and text.startswith("DLL load failed")
    for layer in layers:
        for inside in layer.files():
            file = inside.rpartition("/")[2]
            if is_library(file) and (every or file in text):
                yield from layer.file(inside)


def is_library(file):
    return file.endswith(LIBRARIES) or ".so." in file


def of_machinery(error, layers):
    # Bytecode that is cut, facts that are not there: what was being imported, else every file of code by its size.
    trace = error.__traceback__
    while trace:
        if is_machinery(trace.tb_frame, layers):
            seen = trace.tb_frame.f_locals
            about = [getattr(seen.get(name), "__dict__", {}).values() for name in ("self", "spec")]
            for name in [*seen.values(), *about[0], *about[1]]:
                place = inside_of(name, layers) if isinstance(name, str) else None
                if place:
                    yield from place[0].file(place[1])
        trace = trace.tb_next
    for layer in layers:
        for inside in layer.files():
            own = layer.first and not inside.startswith("app/")
            if own or inside.endswith(CODE) or is_library(inside):
                yield from layer.file(inside, content=own)


def of_lists(layers):
    # A list that is not there, or not whole, says as much: what does that to it does it to other files.
    for layer in layers:
        layer.files()
        if layer.damaged:
            yield layer, layer.list if layer.info("") else "", layer.damaged
