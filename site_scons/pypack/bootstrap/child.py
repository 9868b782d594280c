# What `site` runs in each Python that is started as apps/<id>/bin/<name> (or Scripts): in the program's children, and in the program itself
# when it looks at `site`. pypack.pth gives it `sitedir`, `here` (the app layer), and `optimize`, the level that the layers have
# bytecode for (-1: for none).
import os
import sys


def settle(sitedir, here, optimize):
    hidden = "PYPACK_HIDDEN_"  # what the launcher puts in front of variables that would lead Python to another runtime
    for name in [name for name in os.environ if name.startswith(hidden)]:
        os.environ[name[len(hidden) :]] = os.environ.pop(name)
    layers = os.path.dirname(here)
    restart(here, sys.argv)
    alone = sys.__dict__.pop("pypack_alone", None)
    if alone in sys.path:
        sys.path.remove(alone)
    if os.environ.get("LD_ORIGIN_PATH", "").startswith(layers):
        del os.environ["LD_ORIGIN_PATH"]
    if optimize != sys.flags.optimize:  # there is no bytecode of that kind in a layer, and none must get there
        sys.dont_write_bytecode = True
    if os.name == "posix":
        keep_lock(os.path.join(sys.prefix, "pyvenv.cfg"))
    add_layers_to_site(here, layers)


def restart(here, words):
    # A program that starts itself by the words of its process, and by its process's file, gets here without the bootstrap.
    mine = len(words) >= 5 and words[0].startswith(here + os.sep) and os.path.isabs(words[1])
    if not mine or not words[2].lstrip("-").isdigit() or len(words[3]) != 32 or hasattr(sys, "pypack"):
        return
    if os.name == "nt":
        import subprocess

        os._exit(subprocess.call([words[1], *words[5:]]))
    os.execv(words[1], words[4:])


def keep_lock(path):
    # The launcher holds a lock for this process. Its own children are not to hold it on.
    try:
        wanted = os.stat(path)
    except OSError:
        return
    descriptor, closed = 10, 0  # the launcher takes the first number from 10 on that is free
    while closed < 10:
        try:
            if os.path.samestat(os.fstat(descriptor), wanted):
                os.set_inheritable(descriptor, False)
            closed = 0
        except OSError:
            closed += 1
        descriptor += 1


def add_layers_to_site(here, layers):
    # Packages stand in layers, and in the environment's own site-packages what was installed later: both are told.
    site = sys.modules.get("site")
    usual = getattr(site, "getsitepackages", None)
    if usual is None:
        return

    def getsitepackages(prefixes=None):
        found = usual(prefixes)
        if prefixes is None:
            with open(os.path.join(here, "launch"), encoding="utf-8") as stream:
                facts = dict(line.rstrip("\n").split("=", 1) for line in stream)
            folders = [os.path.join(layers, *each.split("/")) for each in facts["deps"].split("\t") if each]
            found += [each for each in folders if each not in found]
        return found

    getsitepackages.__doc__, getsitepackages.__module__ = usual.__doc__, usual.__module__
    getsitepackages.__qualname__ = usual.__qualname__  # so that it can be pickled
    site.getsitepackages = getsitepackages


settle(sitedir, here, optimize)
