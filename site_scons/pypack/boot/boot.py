# The bootstrap of a bundle. The launcher starts it as
#
#     python -I -S -B .../layers/<app>/boot.pyc BUNDLE FD CALLED ARGUMENT...
#
# It sets up what a program may look at, and then becomes the program. Only modules that are built in are imported:
# each import from a file costs a tenth of a millisecond on every start.
import sys


def apart(function):
    # A function keeps the names of its module alive, and here those are the program's own: objects in them would not go
    # before Python itself is half gone, and their __del__ could do nothing. So what outlives start() gets names of its own.
    space = {"__builtins__": __builtins__, "__name__": "pypack"}
    return type(function)(function.__code__, space, None, function.__defaults__)


def about(values):
    class Pypack:
        """What a program can ask about its own bundle, as ``sys.pypack``."""

        def __init__(self):
            self.__dict__.update(values)

        def __repr__(self):
            return "sys.pypack(%s)" % ", ".join("%s=%r" % pair for pair in self.__dict__.items())

    return Pypack()


def start():
    boot, bundle, descriptor, called = sys.argv[:4]
    system = sys.modules.get("posix") or sys.modules["nt"]
    separator = "\\" if system.__name__ == "nt" else "/"
    if descriptor != "-1":  # the launcher's lock says that this bundle runs; children must not hold it on
        system.set_inheritable(int(descriptor), False)
    here = boot.rpartition(separator)[0]
    layers = here.rpartition(separator)[0]
    origin = system.environ.get(b"LD_ORIGIN_PATH", b"")  # the launcher sets it where /proc is missing
    if origin.startswith(layers.encode("utf-8", "surrogateescape") + b"/"):
        del system.environ[b"LD_ORIGIN_PATH"]
        system.unsetenv(b"LD_ORIGIN_PATH")
    with open(here + separator + "launch", encoding="utf-8") as stream:
        facts = dict(line.rstrip("\n").split("=", 1) for line in stream)
    sys.argv[:4] = [called]
    getattr(sys, "orig_argv", [])[:] = sys.argv  # since 3.10
    app = here + separator + "app"
    libraries = [entry for entry in sys.path if not entry.endswith(".zip")]
    if separator == "\\":
        # CPython for Windows adds the folder of the executable, whose files could then be imported, and drops the prefix
        # that lifts the limit of a path's length
        below = bare(layers) + separator
        size = len(below)  # before lower(), which makes two characters of some
        libraries = [
            layers + bare(entry)[size - 1 :] for entry in libraries if bare(entry)[:size].lower() == below.lower()
        ]
        sys._base_executable = sys.executable  # what multiprocessing starts; before 3.11 it is the bundle
    sys.path[:] = [app]
    for folder in filter(None, facts["deps"].split("\t")):
        sys.path.append(layers + separator + folder.replace("/", separator))
    sys.path += libraries
    sys.pypack = apart(about)(
        {
            "name": facts["name"],
            "version": facts["version"],
            "target": facts["target"],
            "bundle": bundle,
            "id": sys.executable.rpartition(separator + "apps" + separator)[2].partition(separator)[0],
            "mode": facts["mode"],
        }
    )
    loader = apart(find_in_layers)(layers + separator, separator, system)
    names()
    if "site" in facts:  # .pth files of packages that run code; the paths in them are in sys.path already
        import site

        site.addsitedir(layers + separator + facts["site"].replace("/", separator))
    if "on_path" in facts:  # the commands of the packages, which stand beside the interpreter
        beside(sys.executable.rpartition(separator)[0], system)
    end = None
    if facts.get("startup") == "fast":
        end = apart(hold_collector)(apart(has_finalizers))
        import_lazily()
    if facts["kind"] == "script":
        path = app + separator + facts["entry"].replace("/", separator)
        if "/" in facts["entry"]:  # "python FILE" looks in the folder of the file first
            sys.path.insert(0, path.rpartition(separator)[0])
        return script(path, loader)
    if facts["kind"] == "function":
        return function(facts["entry"], facts["function"], end)
    if facts["kind"] == "scripts":
        return command(dict(pair.split("=", 1) for pair in facts["scripts"].split("\t")), separator, end)
    return module(facts["entry"])


def bare(path):
    if path.startswith("\\\\?\\UNC\\"):
        return "\\" + path[7:]
    return path[4:] if path.startswith("\\\\?\\") else path


def beside(folder, system):
    # The folder becomes the first one of PATH; os.environ is made of system.environ later on.
    if system.__name__ == "nt":
        name, part = "PATH", ";"
    else:
        name, folder, part = b"PATH", folder.encode("utf-8", "surrogateescape"), b":"
    value = system.environ.get(name)
    value = folder + part + value if value else folder
    system.environ[name] = value
    system.putenv(name, value)


def names():
    # What the site module adds for people at a prompt; programs use them too.
    import builtins

    import _sitebuiltins

    end = "Ctrl-Z plus Return" if sys.platform == "win32" else "Ctrl-D (i.e. EOF)"
    builtins.quit = _sitebuiltins.Quitter("quit", end)
    builtins.exit = _sitebuiltins.Quitter("exit", end)
    builtins.help = _sitebuiltins._Helper()


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
    become(
        spec.loader.get_code(spec.name),
        __file__=spec.origin,
        __cached__=spec.cached,
        __spec__=spec,
        __loader__=spec.loader,
        __package__=spec.parent,
    )


def script(path, loader):
    # What "python FILE" does.
    import _frozen_importlib_external as external

    try:
        loader = loader("__main__", path)
        code = loader.get_code("__main__")
    except FileNotFoundError:  # built without sources
        loader = external.SourcelessFileLoader("__main__", path + "c")
        code = loader.get_code("__main__")
    become(code, __file__=path, __cached__=None, __spec__=None, __loader__=loader, __package__=None)


def function(name, attributes, imported):
    # What a console script does.
    target = __import__(name, fromlist=["*"])
    for attribute in attributes.split("."):
        target = getattr(target, attribute)
    if imported:
        imported()
    sys.exit(target())


def command(scripts, separator, end):
    # Several programs in one file: the name that the bundle was started by chooses one, else the first argument.
    name = sys.argv[0].rpartition(separator)[2]
    if separator == "\\" and name.lower().endswith(".exe"):
        name = name[:-4]
    if name not in scripts:
        name = sys.argv[1] if len(sys.argv) > 1 else ""
        if name not in scripts:
            return which(scripts, name)
        del sys.argv[1]
    module, function_name = scripts[name].split(":")
    function(module, function_name, end)


def which(scripts, name):
    told = "usage: %s PROGRAM ARGUMENT...\n\nprograms: %s\n" % (sys.argv[0], " ".join(sorted(scripts)))
    if name in ("-h", "--help"):
        print(told, end="")
        sys.exit(0)
    print("%s: no program is called %r\n" % (sys.argv[0], name) * bool(name) + told, end="", file=sys.stderr)
    sys.exit(2)


def become(code, **names):
    space = sys.modules["__main__"].__dict__
    for name in [name for name in space if name not in ("__name__", "__doc__", "__builtins__", "__annotations__")]:
        del space[name]
    space["__doc__"] = None
    space.update(names)
    exec(code, space)


def run(begin):
    boot, bundle = sys.argv[:2]
    try:
        begin()
    except Exception as error:
        # Whose lines are these, and is it damage? The names of this file are the program's by now.
        import _frozen_importlib_external as external

        here, _, suffix = boot.rpartition("boot")
        kind = external.SourceFileLoader if suffix == ".py" else external.SourcelessFileLoader
        space = {"__name__": "pypack"}
        try:
            exec(kind("pypack", here + "failure" + suffix).get_code("pypack"), space)
        except Exception:
            raise error
        space["tell"](error, boot, bundle, here)


run(start)
