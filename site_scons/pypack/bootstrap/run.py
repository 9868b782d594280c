# What CPython is told to run where it cannot run the program's own file: start.py has the rest of the bootstrap. Of this file
# nothing is left when the program begins, but for one frame below the program's first.
import sys


def main_program(facts, here, loader, imported):
    # Return the code of the program, and the names that it runs with.
    separator = "\\" if "nt" in sys.modules else "/"
    app = here + separator + "app"
    sys.path[:1] = []  # the folder of run.py
    if facts["kind"] == "script":
        path = app + separator + facts["entry"].replace("/", separator)
        if "/" in facts["entry"]:  # "python FILE" looks in the folder of the file first
            sys.path.insert(0, path.rpartition(separator)[0])
        return script(path, loader)
    if facts["kind"] == "function":
        return console_script(separator.join([here, "bin", facts["script"]]), imported)
    if facts["kind"] == "scripts":
        return which(facts["scripts"].split("\t"))
    return module(facts["entry"])


def found(name, path):
    for finder in sys.meta_path:
        spec = finder.find_spec(name, path)
        if spec is not None:
            return spec
    raise ImportError("the bundle's entry point, module %r, is not in it" % name, name=name)


def module(name):
    # What "python -m NAME" does: parents are imported, a package is run by its __main__.
    path = None
    parent = name.rpartition(".")[0]
    if parent:
        path = __import__(parent, fromlist=["__path__"]).__path__
    spec = found(name, path)
    if spec.submodule_search_locations is not None:
        name += ".__main__"
        spec = found(name, __import__(spec.name, fromlist=["__path__"]).__path__)
    return become(
        spec.loader.get_code(spec.name),
        __file__=spec.origin,
        __cached__=spec.cached,
        __spec__=spec,
        __loader__=spec.loader,
        __package__=spec.parent,
    )


def script(path, loader):
    # What "python FILE" does. Built without sources there is the bytecode only, and children are told so.
    import _frozen_importlib_external as external

    try:
        loader = loader("__main__", path)
        code = loader.get_code("__main__")
    except FileNotFoundError:
        path += "c"
        loader = external.SourcelessFileLoader("__main__", path)
        code = loader.get_code("__main__")
    return become(code, __file__=path, __cached__=None, __spec__=None, __loader__=loader, __package__=None)


def console_script(path, imported):
    # The file is run by CPython itself as a rule; startup = "fast" has to know when the imports are over.
    import _frozen_importlib_external as external

    loader = external.SourceFileLoader("__main__", path)
    lines = loader.get_data(path).decode("utf-8")
    code = compile(lines.replace("\nif __name__", "\n__pypack_imported__()\nif __name__", 1), path, "exec")
    names = {"__file__": path, "__cached__": None, "__spec__": None, "__loader__": loader, "__package__": None}
    space = become(code, **names)[1]  # from here on the names of this file are gone

    def end():
        del space["__pypack_imported__"]
        if imported:
            imported()

    space["__pypack_imported__"] = end
    return code, space


def near(name, programs):
    # The program that was meant, as a question; "" where none is like it, or difflib was left out of the bundle.
    try:
        import difflib
    except ImportError:
        return ""
    found = difflib.get_close_matches(name, programs, n=1, cutoff=0.5)
    return " (did you mean %s?)" % found[0] if found else ""


def which(programs):
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    told = "usage: %s PROGRAM ARGUMENT...\n\nprograms: %s\n" % (sys.argv[0], " ".join(sorted(programs)))
    if name in ("-h", "--help"):
        print(told, end="")
        sys.exit(0)
    unknown = "%s: no program is called %r%s\n" % (sys.argv[0], name, near(name, programs)) if name else ""
    print(unknown + told, end="", file=sys.stderr)
    sys.exit(2)


def become(code, **names):
    space = sys.modules["__main__"].__dict__
    for name in [name for name in space if name not in ("__name__", "__doc__", "__builtins__", "__annotations__")]:
        del space[name]
    space["__doc__"] = None
    space.update(names)
    return code, space


exec(*main_program(*sys.__dict__.pop("pypack_start")))
