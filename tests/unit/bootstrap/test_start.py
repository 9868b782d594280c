"""Parts of the bootstrap: modules found in layers, garbage collection held back. Each case is a process of its own."""

from __future__ import annotations

import os
import py_compile
import subprocess
import sys
from pathlib import Path

import pytest

from pypack.base import folders

BOOT = folders.bootstrap()


@pytest.fixture
def layers(tmp_path):
    """A layer as a build leaves it: bytecode that nobody compares with its source."""
    tree = {
        "plain.py": "def where(): raise ValueError('here')\n",
        "package/__init__.py": "from . import inner\n",
        "package/inner.py": "VALUE = 'layer'\n",
        "package/data.txt": "data",
        "spread/one.py": "",
        "shadowed.py": "ORIGIN = 'layer'\n",
        "damaged.py": "VALUE = 1\n",
        "sourceless.py": "VALUE = 2\n",
        "LICENSE": "",
        "large.py": "VALUE = " + repr([str(number) for number in range(30000)]),
    }
    for name, text in tree.items():
        path = tmp_path / "layers/abc" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        if name.endswith(".py"):
            unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
            py_compile.compile(str(path), dfile=name, doraise=True, invalidation_mode=unchecked)
    folder = tmp_path / "layers/abc"
    tag = sys.implementation.cache_tag
    (folder / f"__pycache__/damaged.{tag}.pyc").write_bytes(b"")
    (folder / f"__pycache__/sourceless.{tag}.pyc").rename(folder / "sourceless.pyc")
    (folder / "sourceless.py").unlink()
    (folder / "fresh.py").write_text("VALUE = 3\n")  # no bytecode at all
    (tmp_path / "other/spread").mkdir(parents=True)
    (tmp_path / "other/spread/two.py").write_text("")
    (tmp_path / "other/shadowed.py").write_text("ORIGIN = 'other'\n")
    return tmp_path / "layers"


def run(layers, text, *, part="finder", options=()):
    """Run ``text`` below what a bundle's bootstrap sets up; return what it printed."""
    begin = (BOOT / f"{part}.py").read_text(encoding="utf-8")
    if part == "finder":
        begin += "import sys, os\nLAYER, OTHER = sys.argv[1:]\nsys.path[:0] = [LAYER]\n"
        begin += "system = sys.modules.get('posix') or sys.modules['nt']\n"
        begin += (
            "Loader = find_in_layers(os.path.dirname(LAYER) + os.sep, os.sep, system, os.path.join(OTHER, 'own'))\n"
        )
    words = [sys.executable, "-I", "-S", "-B", *options, "-c", begin + text, layers / "abc", layers.parent / "other"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


MODULES = """
import package, plain, large, fresh, damaged, sourceless
assert package.inner.VALUE == "layer" and len(large.VALUE) == 30000
assert (fresh.VALUE, damaged.VALUE, sourceless.VALUE) == (3, 1, 2)
assert type(plain.__loader__) is Loader
assert plain.__file__ == os.path.join(LAYER, "plain.py"), plain.__file__
assert plain.__spec__.cached == os.path.join(LAYER, "__pycache__", "plain." + sys.implementation.cache_tag + ".pyc")
assert plain.__spec__.origin == plain.__file__ and plain.__spec__.has_location
assert package.__path__ == [os.path.join(LAYER, "package")] and package.__spec__.parent == "package"
try:
    import LICENSE
except ImportError:
    pass
else:
    raise AssertionError("a file became a namespace")
import inspect, importlib.resources, pkgutil, traceback
assert "raise ValueError" in inspect.getsource(plain)
assert importlib.resources.files("package").joinpath("data.txt").read_text() == "data"
assert "inner" in [each.name for each in pkgutil.iter_modules(package.__path__)]
try:
    plain.where()
except ValueError:
    assert plain.__file__ in traceback.format_exc()
print("fine")
"""


def test_modules_are_what_cpython_would_make_them(layers):
    assert run(layers, MODULES) == "fine\n"


def test_the_order_of_sys_path_holds(layers):
    told = run(layers, "sys.path.insert(0, OTHER)\nimport shadowed\nprint(shadowed.ORIGIN)")
    assert told == "other\n"
    told = run(layers, "sys.path.append(OTHER)\nimport shadowed\nprint(shadowed.ORIGIN)")
    assert told == "layer\n"


def test_namespaces_are_joined_across_layers_and_other_folders(layers):
    told = run(layers, "sys.path.append(OTHER)\nimport spread.one, spread.two\nprint(len(spread.__path__))")
    assert told == "2\n"


def test_a_module_that_comes_later_is_found_once_caches_are_invalid(layers):
    told = run(
        layers,
        "import importlib, plain\nopen(os.path.join(LAYER, 'late.py'), 'w').close()\n"
        "importlib.invalidate_caches()\nimport late\nprint(late.__name__)",
    )
    assert told == "late\n"


def test_a_folder_is_looked_at_once(layers):
    text = """
seen = []
os.stat, listed = None, [each for each in sys.path_importer_cache if each.startswith(LAYER)]
assert listed == []
sys.addaudithook(lambda event, words: seen.append(event) if event in ("os.listdir", "open") else None)
import package, plain
print(len(sys.path_importer_cache), seen.count("os.listdir"), seen.count("open"))
"""
    assert run(layers, text).split()[1:] == ["2", "3"]  # the layer and the package; three modules


COLLECTOR = """
import gc, sys
usual = gc.get_threshold()
end = hold_collector(has_finalizers, 5000)
assert gc.get_threshold()[0] == 5000
runs = []
gc.callbacks.insert(0, lambda phase, facts: phase == "start" and runs.append(facts["generation"]))
few = [[] for _ in range(900)]
assert runs == []
"""
AFTER = "assert gc.get_threshold() == usual and gc.get_freeze_count() > 900 and len(gc.callbacks) == 1\nprint('fine')"
FROM_IMPORT = """
class Finder:
    @staticmethod
    def find_spec(name, path, target=None):
        if name == "heavy":
            few.extend([] for _ in range(20000))
            assert gc.get_threshold()[0] == 5000 and len(gc.callbacks) == 2
            assert len(runs) > 1
sys.meta_path.insert(0, Finder)
try:
    import heavy
except ImportError:
    pass
few.extend([] for _ in range(9000))
"""


@pytest.mark.parametrize(
    "middle", ["end()\n", "few.extend([] for _ in range(9000))\n", "gc.collect()\n", FROM_IMPORT],
    ids=["told", "enough objects", "collected by hand", "not while importing"],
)  # fmt: skip
def test_collection_rests_until(layers, middle):
    assert run(layers, COLLECTOR + middle + AFTER, part="fast") == "fine\n"


def test_what_was_left_out_counts_again_at_the_end(layers):
    """A file in a cycle is closed, and what was written to it is there."""
    text = "class Log:\n    out = open(sys.argv[2] + '.log', 'w')\nLog.out.write('told')\ndel gc.callbacks[0]\n"
    for ending in ("end()\n", ""):
        run(layers, COLLECTOR + text + ending, part="fast")
        assert Path(os.fspath(layers.parent / "other") + ".log").read_text() == "told"


CYCLE = """
import os
class Cycle:
    def __init__(self):
        self.me = self
    def __del__(self):
        os.write(1, "{} {}\\n".format(Cycle.__name__, len(gc.get_objects()) > 900).encode())
Cycle()
"""


@pytest.mark.parametrize("ending", ["", "end()\n", "gc.disable()\n", "out = open(sys.argv[2] + '.log', 'w')\n"])
def test_garbage_in_cycles_goes_at_the_end(layers, ending):
    """Its finalizers run, with the names that they use."""
    assert run(layers, COLLECTOR + CYCLE + ending, part="fast") == "Cycle True\n"


@pytest.mark.parametrize(
    ("made", "seen"),
    [
        ("", "0 "),
        ("out = open(sys.argv[2] + '.log', 'w')", "1 "),
        ("out = open(sys.argv[2] + '.log', 'w')\nout.close()\ndel out", "0 "),
        ("out = open(1, 'w', closefd=False)", "1 "),
        ("class Some:\n    def __del__(self): pass\nsome = Some()", "1 "),
        ("waiting = (each for each in [1])\nnext(waiting)", "1 "),
    ],
)
def test_the_first_look_for_garbage_at_the_end_is_spared_where_nothing_has_a_finalizer(layers, made, seen):
    text = "import os\ngc.callbacks[:1] = [lambda phase, facts, write=os.write, count=gc.get_objects:"
    text += " phase == 'start' and write(1, b'%d ' % (len(count()) > 900))]\n"
    assert run(layers, f"{COLLECTOR}{made}\n{text}", part="fast") == seen


def test_files_that_were_open_from_the_start_and_files_of_finalizers_are_written(layers):
    """All of it is lost where the first collection at the end is left out."""
    again = "out = open(1, 'w', closefd=False)\nclass Keep:\n    kept = out\nout.write('fd 1 ')\ndel gc.callbacks[0]\n"
    late = CYCLE.replace("os.write(1, ", "open(sys.argv[2] + '.log', 'wb').write(")
    assert run(layers, f"{COLLECTOR}{again}", part="fast") == "fd 1 "
    assert run(layers, f"{COLLECTOR}{late}end()\n", part="fast") == ""
    assert Path(os.fspath(layers.parent / "other") + ".log").read_text() == "Cycle True\n"


def test_thresholds_of_the_program_s_own_stay(layers):
    told = run(layers, COLLECTOR + "gc.set_threshold(77)\nend()\nprint(gc.get_threshold()[0])", part="fast")
    assert told == "77\n"


def test_lazy_imports_are_asked_for_where_python_has_them(layers):
    text = "import sys\nsys.set_lazy_imports = print\nimport_lazily()\n"
    assert run(layers, text, part="fast") == "all\n"
    assert run(layers, "import_lazily()\nprint('none here')", part="fast") == "none here\n"


LEVEL_AND_ZIP = """
import zipfile
import plain
assert plain.__spec__.cached.endswith(".opt-1.pyc"), plain.__spec__.cached
with zipfile.ZipFile(os.path.join(LAYER, "more.zip"), "w") as out:
    out.writestr("zipped.py", "VALUE = 4")
sys.path.append(os.path.join(LAYER, "more.zip"))
import zipped
print(zipped.VALUE, plain.VALUE)
"""


def test_bytecode_of_the_level_and_zip_files_in_layers(layers):
    """A program that is built with ``optimize`` is started with -O, and finds what was compiled for that."""
    folder = layers / "abc"
    (folder / "plain.py").write_text("VALUE = 'from the bytecode'\n")
    unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
    py_compile.compile(str(folder / "plain.py"), doraise=True, optimize=1, invalidation_mode=unchecked)
    (folder / "plain.py").write_text("VALUE = 'from the source'\n")
    assert run(layers, LEVEL_AND_ZIP, options=("-O",)) == "4 from the bytecode\n"


def test_every_copy_of_the_inherited_lock_stops_here(tmp_path):
    """Its number is the first one from 10 on that was free; many files may be open, and a parent leave one more."""
    (tmp_path / "pyvenv.cfg").write_text("")
    source = (BOOT / "child.py").read_text().rpartition("settle(")[0]
    space: dict = {}
    exec(source, space)
    opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(60)]
    locks = [os.open(tmp_path / "pyvenv.cfg", os.O_RDONLY) for _ in range(2)]
    try:
        os.close(opened.pop(40))  # what was closed by exec leaves gaps
        for each in (*opened, *locks):
            os.set_inheritable(each, True)
        space["keep_lock"](tmp_path / "pyvenv.cfg")
        assert min(locks) > 20
        assert not any(os.get_inheritable(each) for each in locks)
        assert all(os.get_inheritable(each) for each in opened), "the program's own files stay as they are"
    finally:
        for each in (*opened, *locks):
            os.close(each)
