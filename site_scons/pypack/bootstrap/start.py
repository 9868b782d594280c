# The bootstrap of a bundle. The launcher starts Python as
#
#     PYTHONPATH=.../layers/<app>/boot python .../layers/<app>/<main> BUNDLE LOCK ID CALLED ARGUMENT...
#
# and this file is `encodings` in that folder: the first module that CPython imports from a file. So it runs in front of
# everything else, `site` too, without any option that the program and its children would see in sys.flags. It sets up what a
# program may look at, and makes room for the real `encodings`. CPython then runs <main>: a script of the program's itself, or
# run.py. Only modules that are built in or frozen are imported: each import from a file costs a tenth of a millisecond on every
# start. When a bundle is built finder.py stands in front of this, in the same file, and fast.py where the program asks for that.
import sys

system = sys.modules.get("posix") or sys.modules["nt"]
separator = "\\" if system.__name__ == "nt" else "/"
HIDDEN = "PYPACK_HIDDEN_"  # what the launcher puts in front of the names of variables that Python shall not see yet


def start(file):
    del sys.path[0], sys.modules["encodings"]
    here = file.rpartition(separator)[0].rpartition(separator)[0]
    layers = here.rpartition(separator)[0]
    main, bundle, lock, number, called = sys.argv[:5]
    if lock != "-1":  # it says that this bundle runs; children must not hold it on
        system.set_inheritable(int(lock), False)
    restore_environment(layers)
    facts = read_facts(here)
    folder = sys.executable.rpartition(separator)[0]
    sys.prefix = sys.exec_prefix = folder.rpartition(separator)[0]
    own = sys.prefix + separator + facts["own_site"].replace("/", separator)
    set_words(facts, main, bundle, called, folder)
    set_path(facts, here, layers, own)
    library = layers + separator + facts["library"].replace("/", separator)
    loader = find_in_layers(layers + separator, separator, system, own, library, facts["ending"])
    import encodings

    sys.pypack = about(facts, bundle, number)
    add_names(library)
    tell_failures(facts, here, layers)
    if "site" not in facts and not is_customized(own):  # else CPython imports it
        sys.modules["site"] = later("site", library)
    elif (
        "alone" in facts
    ):  # pypack.pth names the program's folder, and CPython adds it afterwards: child.py sees to that
        sys.pypack_alone = here + separator + "app"
    if "on_path" in facts:  # the commands of the packages, which stand beside the interpreter
        put_on_path(folder)
    imported = None
    if facts["startup"] == "fast":
        imported = hold_collector(has_finalizers)
        import_lazily()
    if facts["start"] == "run":
        sys.pypack_start = facts, here, loader, imported
    sys.path_importer_cache[main] = None  # it is a file: CPython need not find out whether it is a zip


def read_facts(here):
    descriptor = system.open(here + separator + "launch", system.O_RDONLY | getattr(system, "O_BINARY", 0))
    try:
        text = str(system.read(descriptor, system.fstat(descriptor).st_size), "utf-8")
    finally:
        system.close(descriptor)
    return dict(line.split("=", 1) for line in text.split("\n") if line)


def spelled(name):
    return name if system.__name__ == "nt" else name.encode()


def restore_environment(layers):
    # What the launcher added goes, what it hid gets its name back, in its place.
    environ, hidden, added = system.environ, spelled(HIDDEN), [spelled("PYTHONPATH")]
    origin = spelled("LD_ORIGIN_PATH")  # where /proc is missing
    if environ.get(origin, origin[:0]).startswith(spelled(layers)):
        added.append(origin)
    for name in added:
        environ.pop(name, None)
        forget(name)
    if not any(name.startswith(hidden) for name in environ):
        return
    pairs = list(environ.items())
    environ.clear()
    for name, value in pairs:
        if name.startswith(hidden):
            forget(name)
            name = name[len(hidden) :]
            system.putenv(name, value)
        environ[name] = value


def forget(name):
    if hasattr(system, "unsetenv"):  # on Windows since 3.9
        system.unsetenv(name)
    else:
        system.putenv(name, "")


def set_words(facts, main, bundle, called, folder):
    # sys.orig_argv[1:] is what Python has to be given to start this program again, as it is of a script.
    chosen = []
    if facts["kind"] == "scripts" and main.rpartition(separator)[0].endswith(separator + "bin"):
        name = called.rpartition(separator)[2]
        wanted = main.rpartition(separator)[2]
        if wanted not in (name, name[:-4] if name.lower().endswith(".exe") else name):
            chosen, called = [wanted], folder + separator + wanted  # by the first argument
    sys.argv[:5] = [called]
    itself = called if separator in called and not chosen else bundle
    getattr(sys, "orig_argv", [])[:] = [sys.executable, itself, *chosen, *sys.argv[1:]]  # since 3.10


def bare(path):
    if path.startswith("\\\\?\\UNC\\"):
        return "\\" + path[7:]
    return path[4:] if path.startswith("\\\\?\\") else path


def set_path(facts, here, layers, own):
    # As in a virtual environment: the program's folder, what PYTHONPATH says (where it may), the standard library, packages.
    # CPython itself puts the folder of <main> in front of all that.
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
    app = here + separator + "app"
    packages = [layers + separator + folder.replace("/", separator) for folder in facts["deps"].split("\t") if folder]
    given = []
    if facts["environment"] == "standard":
        name = spelled("PYTHONPATH")
        value = system.environ.get(name, name[:0])
        value = value if isinstance(value, str) else value.decode("utf-8", "surrogateescape")
        given = [entry for entry in value.split(";" if separator == "\\" else ":") if entry]
    site = (
        [own, app + separator + "site-packages"] if "package" in facts else [own]
    )  # the program is one of the packages
    if "alone" in facts:  # CPython adds the program's folder, that of <main>
        sys.path[:] = given + libraries + site + packages
    elif "package" in facts:
        sys.path[:] = given + libraries + site + [app] + packages
    else:
        sys.path[:] = [app] + given + libraries + site + packages


def about(facts, bundle, number):
    # A class of its own would take each start as long as all of this function.
    values = {name: facts[name] for name in ("name", "version", "target")}
    values.update(bundle=bundle, id=number, mode=facts["mode"])
    return type(sys.implementation)(**values)  # types.SimpleNamespace


def put_on_path(folder):
    # The folder becomes the first one of PATH; os.environ is made of system.environ later on.
    name, part = spelled("PATH"), spelled(";" if separator == "\\" else ":")
    folder = folder if system.__name__ == "nt" else folder.encode("utf-8", "surrogateescape")
    value = system.environ.get(name)
    value = folder + part + value if value else folder
    system.environ[name] = value
    system.putenv(name, value)


def add_names(library):
    # What the site module adds for people at a prompt; programs use them too. A printer made in the usual way imports os.
    import builtins

    import _sitebuiltins

    end = "Ctrl-Z plus Return" if sys.platform == "win32" else "Ctrl-D (i.e. EOF)"
    builtins.quit = _sitebuiltins.Quitter("quit", end)
    builtins.exit = _sitebuiltins.Quitter("exit", end)
    builtins.help = _sitebuiltins._Helper()
    words = "Thanks to CWI, CNRI, BeOpen, Zope Corporation, the Python Software Foundation, and a cast of thousands\n"
    words = "    " + words + "    for supporting Python development.  See www.python.org for more information."
    licence = [library + separator + name for name in ("LICENSE.txt", "LICENSE")]
    pages = (("copyright", sys.copyright, []), ("credits", words, []), ("license", _LICENCE, licence))
    for name, text, files in pages:
        printer = object.__new__(_sitebuiltins._Printer)
        for key, value in (("name", name), ("data", text), ("lines", None), ("filenames", files)):
            setattr(printer, "_Printer__" + key, value)
        setattr(builtins, name, printer)


_LICENCE = "See https://www.python.org/psf/license/"


def is_customized(own):
    # Whether something was installed into the environment that `site` has to act on, as it has on .pth files of packages.
    try:
        names = system.listdir(own)
    except OSError:
        return False
    return any(name.endswith(".pth") and name != "pypack.pth" or name.endswith("customize.py") for name in names)


def later(name, library):
    # `site` has nothing to do here, so it is loaded when a program asks it for something: that takes it a quarter of a start.
    import _thread

    lock, begun = _thread.RLock(), []
    module = type(sys)(name)
    names = module.__dict__

    def load():
        with lock:
            if begun:  # by this thread, further out; or done
                return
            begun.append(True)
            import _frozen_importlib as bootstrap

            path = list(sys.path)
            given = {key: value for key, value in names.items() if key[:2] != "__"}  # what a program has set already
            names["__spec__"] = None  # else that is what is found
            bootstrap._exec(bootstrap._find_spec(name, None), module)
            names.update(given)
            sys.path[:] = path  # as it was when the program began, and as the program has changed it since
            del names["__getattr__"], names["__dir__"]

    def find(attribute):
        if attribute[:2] != "__":  # whoever goes through all modules asks for those
            load()
        if attribute in names:
            return names[attribute]
        raise AttributeError("module %r has no attribute %r" % (name, attribute))

    def names_of_module():
        load()
        return dir(module)

    names.update(__getattr__=find, __dir__=names_of_module)
    names.update(__spec__=type(sys.__spec__)(name, None), __file__=library + separator + name + ".py")
    return module


def tell_failures(facts, here, layers):
    # An exception is told as ever. Then, where it may come of a file that is missing or cut, failure.py looks for that.
    usual = sys.excepthook

    def excepthook(kind, value, trace):
        whole = trace
        while trace and trace.tb_frame.f_code.co_filename == "<pypack>":
            trace = trace.tb_next
        if trace is not whole:
            value.__traceback__ = sys.last_traceback = trace
        usual(kind, value, trace)
        text = code = None
        value.__traceback__ = whole
        try:
            if isinstance(value, Exception):
                text, code = explain(value) or (None, None)
        except BaseException:
            pass
        if text and sys.stderr:
            sys.stderr.write(text)
        if code:
            raise SystemExit(code)

    def explain(value):
        import _frozen_importlib_external as external

        space = {"__name__": "pypack"}
        for suffix, kind in ((".pyc", external.SourcelessFileLoader), (".py", external.SourceFileLoader)):
            loader = kind("pypack", here + separator + "failure" + suffix)
            try:
                code = loader.get_code("pypack")
            except OSError:
                continue
            exec(code, space)
            break
        folders = [layers + separator + each for each in facts["layers"].split("\t")]
        return space["examine"](value, [here, *folders], facts["name"], "self" not in facts)

    sys.excepthook = sys.__excepthook__ = excepthook


start(__file__)
