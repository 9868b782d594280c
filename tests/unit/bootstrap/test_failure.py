"""What a program is told when it ends with an exception: damage of its own files, by the lists that lie with them.

Each case is a process of its own, with each Python that is here: the bootstrap runs on those that runtimes have.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pypack.base import folders

BOOT = folders.bootstrap()
APP, DEPS, RUNTIME = (letter * 32 for letter in "adf")


def interpreters() -> list[str]:
    """Return this Python, and the oldest and the newest of those that pyenv keeps."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = {tuple(map(int, path.name.split(".")[:2])): path / "bin/python" for path in root.glob("3.*.*")}
    others = [str(found[minor]) for minor in sorted(found) if minor >= (3, 8)]
    return list(dict.fromkeys([sys.executable, *others[:1], *others[-1:]]))


PYTHONS = interpreters()

FILES = {
    f"{APP}/launch": "name=prog\n",
    f"{APP}/boot.pyc": "boot",
    f"{APP}/app/helper.py": "WORD = 1\ndef broken():\n    return nothing_of_that_name\n",
    f"{APP}/app/empty.py": "",
    f"{APP}/app/store.json": "[]",
    f"{APP}/app/tool": "#!/bin/sh\n",
    f"{APP}/app/lib/data.txt": "x",
    f"{DEPS}/site-packages/pack/__init__.py": "",
    f"{DEPS}/site-packages/pack/inner.py": "VALUE = 2\n",
    f"{DEPS}/site-packages/pack/deep/__init__.py": "",
    f"{DEPS}/site-packages/pack/deep/leaf.py": "",
    f"{DEPS}/site-packages/spread/part.py": "",
    f"{DEPS}/site-packages/pack.libs/libthing-1.so.2": "a library",
    f"{DEPS}/site-packages/native.so": "no library at all",
    f"{DEPS}/share/files": "data",
    f"{RUNTIME}/lib/python3/own_std.py": "VALUE = 3\n",
    f"{RUNTIME}/lib/python3/odd\nname.py": "",
}
START = """
import os, sys
LAYERS = [os.path.join(sys.argv[1], name) for name in %r]
A, D, R = LAYERS
S = D + "/site-packages"
sys.path[:0] = [A + "/app", S, R + "/lib/python3"]
system = sys.modules["posix"]
find_in_layers(os.path.dirname(A) + "/", "/", system, "/nowhere")
def cut(path):
    os.truncate(path, os.path.getsize(path) // 2)
def compiled(path):
    folder, name = os.path.split(path)
    return "%%s/__pycache__/%%s.%%s.pyc" %% (folder, name[:-3], sys.implementation.cache_tag)
before = set(sys.modules)
error = None
try:
    exec(compile(sys.stdin.read(), "scenario", "exec"), {**globals(), "__name__": "scenario"})
except BaseException as raised:
    error = raised
loaded = set(sys.modules)
found = examine(error, LAYERS, "prog", VERIFY)
assert set(sys.modules) - loaded <= {"_sha256", "_sha2"}, set(sys.modules) - loaded
assert explain(error, LAYERS, "prog", VERIFY) == (found and found[0])
print(type(error).__name__)
print(found[1] if found else 0)
print(found[0] if found else "", end="")
"""


@pytest.fixture(scope="module", params=PYTHONS, ids=lambda path: Path(path).parts[-3])
def python(request):
    return request.param


@pytest.fixture(scope="module")
def built(python, tmp_path_factory):
    """The layers of a program as a build leaves them, with bytecode of that Python and their lists."""
    root = tmp_path_factory.mktemp("layers") / "layers"
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    code = "import sys\ntry: import _sha2 as found\nexcept ImportError: import _sha256 as found\n"
    code += "print(getattr(found, '__file__', ''))"
    own = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout.strip()
    if own:  # else it is built in
        shutil.copy(own, root / RUNTIME / "lib/python3")
    code = "import compileall, py_compile, sys\nmode = py_compile.PycInvalidationMode.UNCHECKED_HASH\n"
    code += "assert compileall.compile_dir(sys.argv[1], quiet=1, invalidation_mode=mode)"
    subprocess.run([python, "-c", code, root], check=True)
    for layer in root.iterdir():
        rows = []
        for path in sorted(each for each in layer.rglob("*") if each.is_file()):
            data, name = path.read_bytes(), os.fsencode(path.relative_to(layer)).replace(b"\n", b"\\n")
            rows.append(b"%d %s %s\n" % (len(data), hashlib.sha256(data).hexdigest()[:16].encode(), name))
        listing = layer / ("files" if layer.name == APP else ".pypack-files")
        listing.write_bytes(b"".join(rows) + b"%d\n" % len(rows))
    return root


@pytest.fixture
def ask(python, built, tmp_path):
    """Run a scenario below the finder and the bootstrap's view of failures; return the lines that are told."""

    def call(scenario: str, *, verify: bool = True) -> list[str]:
        root = tmp_path / "layers"
        shutil.copytree(built, root, symlinks=True)
        script = tmp_path / "script.py"
        parts = [(BOOT / name).read_text(encoding="utf-8") for name in ("finder.py", "damage.py", "failure.py")]
        script.write_text("\n".join([*parts, f"VERIFY = {verify}", START % ((APP, DEPS, RUNTIME),)]))
        done = subprocess.run(
            [python, "-I", "-S", "-B", script, root],
            input=scenario,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return call


DAMAGE = [
    # what happens, the kind of exception, the file that is blamed
    ("os.unlink(A + '/app/helper.py')\nimport helper", "ModuleNotFoundError", f"{APP}/app/helper.py is missing"),
    ("os.unlink(S + '/pack/__init__.py')\nfrom pack import VALUE", "ImportError", "pack/__init__.py is missing"),
    ("os.unlink(S + '/pack/inner.py')\nimport pack.inner", "ModuleNotFoundError", "inner.py is missing"),
    ("os.unlink(S + '/pack/inner.py')\nfrom pack import inner", "ImportError", "inner.py is missing"),
    ("import shutil\nshutil.rmtree(S + '/spread')\nimport spread.part", "ModuleNotFoundError", "spread is missing"),
    (
        "import shutil\nshutil.rmtree(S + '/pack')\nimport pack.deep.leaf",
        "ModuleNotFoundError",
        "pack/__init__.py is missing",
    ),
    ("import shutil\nshutil.rmtree(D)\nimport pack", "ModuleNotFoundError", f"{DEPS} is missing"),
    ("os.unlink(S + '/pack/deep/leaf.py')\nimport pack.deep.leaf", "ModuleNotFoundError", "leaf.py is missing"),
    ("os.unlink(R + '/lib/python3/own_std.py')\nimport own_std", "ModuleNotFoundError", "own_std.py is missing"),
    ("cut(compiled(A + '/app/helper.py'))\nimport helper", "EOFError", "helper.{tag}.pyc is not what was unpacked"),
    ("cut(compiled(R + '/lib/python3/own_std.py'))\nimport own_std", "EOFError", "own_std.{tag}.pyc is not what"),
    (
        "path = compiled(A + '/app/helper.py')\ndata = bytearray(open(path, 'rb').read())\ndata[16] = 0xFF\n"
        "open(path, 'wb').write(data)\nimport helper",
        "ValueError",
        "helper.{tag}.pyc is not what",
    ),
    (
        "import pack\nos.unlink(compiled(S + '/pack/__init__.py'))\nopen(pack.__file__, 'w').write('x')\npack.VALUE",
        "AttributeError",
        "pack/__init__.py is not what",
    ),
    (
        "import pack\ncut(compiled(pack.__file__))\nfrom pack import VALUE",
        "ImportError",
        "__init__.{tag}.pyc is not what",
    ),
    ("os.unlink(S + '/pack/__init__.py')\nimport pack\npack.VALUE", "AttributeError", "__init__.py is missing"),
    ("import helper\ncut(compiled(helper.__file__))\nhelper.broken()", "NameError", "helper.{tag}.pyc is not what"),
    (
        "os.unlink(compiled(A + '/app/helper.py'))\nopen(A + '/app/helper.py', 'w').write('a = (')\nimport helper",
        "SyntaxError",
        "helper.py is not what",
    ),
    ("os.unlink(A + '/app/store.json')\nopen(A + '/app/store.json')", "FileNotFoundError", "store.json is missing"),
    (
        "import pathlib\nos.unlink(A + '/app/store.json')\npathlib.Path(A, 'app', '..', 'app/store.json').open()",
        "FileNotFoundError",
        "store.json is missing",
    ),
    (
        "os.unlink(A + '/app/store.json')\nos.chdir(A)\nopen(b'app//./store.json')",
        "FileNotFoundError",
        "store.json is missing",
    ),
    (
        "import shutil\nshutil.rmtree(A + '/app/lib')\nos.listdir(A + '/app/lib')",
        "FileNotFoundError",
        "app/lib is missing",
    ),
    (
        "os.unlink(R + '/lib/python3/odd\\nname.py')\nopen(R + '/lib/python3/odd\\nname.py')",
        "FileNotFoundError",
        "name.py is missing",
    ),
    (
        "os.unlink(A + '/app/tool')\nimport subprocess\nsubprocess.run([A + '/app/tool'])",
        "FileNotFoundError",
        "tool is missing",
    ),
    (
        "os.unlink(compiled(A + '/app/helper.py'))\n"
        "os.rename(A + '/app/helper.py', A + '/x')\nos.symlink('../x', A + '/app/helper.py')\n"
        "raise ImportError(name='helper', path=A + '/app/helper.py')",
        "ImportError",
        "helper.py is not what",
    ),
    (
        "cut(S + '/pack.libs/libthing-1.so.2')\nraise ImportError('libthing-1.so.2: file too short', "
        "name='native', path=S + '/native.so')",
        "ImportError",
        "libthing-1.so.2 is not what",
    ),
    ("open(S + '/native.so', 'w').write('no library at 411')\nimport native", "ImportError", "native.so is not what"),
    ("cut(S + '/native.so')\nimport ctypes\nctypes.CDLL(S + '/native.so')", "OSError", "native.so is not what"),
    (
        "cut(S + '/pack.libs/libthing-1.so.2')\nraise ImportError('DLL load failed while importing native', "
        "name='native', path=S + '/native.so')",
        "ImportError",
        "libthing-1.so.2 is not what",
    ),
    ("os.unlink(D + '/.pypack-files')\nimport of_nobody", "ModuleNotFoundError", ".pypack-files is missing"),
    ("cut(D + '/.pypack-files')\nimport of_nobody", "ModuleNotFoundError", ".pypack-files is not what"),
    ("open(A + '/launch', 'w').close()\nexec(compile('{}[1]', '<pypack>', 'exec'))", "KeyError", "launch is not what"),
    (
        "os.unlink(A + '/app/helper.py')\ntry:\n    import helper\nexcept ImportError as error:\n"
        "    raise RuntimeError('no helper') from error",
        "RuntimeError",
        "helper.py is missing",
    ),
    (
        "os.unlink(A + '/app/helper.py')\ntry:\n    import helper\nexcept ImportError:\n    1 / 0",
        "ZeroDivisionError",
        "helper.py is missing",
    ),
]


@pytest.mark.parametrize(("scenario", "kind", "told"), DAMAGE, ids=range(len(DAMAGE)))
def test_damage_is_named(ask, built, scenario, kind, told):
    tag = next((built / APP / "app/__pycache__").iterdir()).name.split(".")[1]
    name, code, *lines = ask(scenario)
    assert (name, code) == (kind, "111"), lines
    assert told.replace("{tag}", tag) in "\n".join(lines)
    assert lines[0].startswith("prog: the program's own files are damaged")
    assert "PYPACK_SELF=verify" in lines[-1]


@pytest.mark.parametrize(
    "scenario",
    [
        "import of_nobody",
        "import pack.of_nobody",
        "from pack import of_nobody",
        "import pack\npack.of_nobody",
        "import helper.of_nobody",
        "raise ModuleNotFoundError('install it')",
        "raise ModuleNotFoundError(name=7, path=[])",
        "import helper\nhelper.broken()",
        "1 / 0",
        "raise KeyboardInterrupt",
        "raise SystemExit(3)",
        "open(A + '/app/log.txt')",
        "open(A + '/app/store.json/x')",
        "os.listdir(A + '/nowhere')",
        "compile('a = (', A + '/app/helper.py', 'exec')",
        "import native",
        "exec(compile('{}[1]', '<pypack>', 'exec'))",
        "raise ImportError('libGL.so.1: cannot open shared object file', name='n', path=S + '/native.so')",
        # what a program changed itself has nothing to do with the exception
        "open(A + '/app/store.json', 'w').write('[1]')\nopen(A + '/app/log.txt', 'w').close()\nimport of_nobody",
        "open(A + '/app/store.json', 'w').write('[1]')\n1 / 0",
        "os.unlink(A + '/app/store.json')\nimport pack\npack.of_nobody",
        "os.unlink(A + '/app/store.json')\nexec(compile('{}[1]', '<frozen importlib._bootstrap>', 'exec'))",
        "open(A + '/app/tool', 'w').write('[1]')\nimport json\njson.loads(open(A + '/app/tool').read())[0].x",
        "cut(S + '/pack.libs/libthing-1.so.2')\nimport of_nobody",
        "cut(compiled(S + '/pack/inner.py'))\nimport of_nobody",
        # sources are for people where there is bytecode
        "open(S + '/pack/__init__.py', 'w').write('x')\nfrom pack import of_nobody",
        "open(S + '/pack/__init__.py', 'w').write('x')\nimport pack.of_nobody",
        "os.unlink(compiled(A + '/app/helper.py'))\nimport helper\nhelper.of_nobody",
        # another's module of that name is in front
        "os.mkdir(A + '.own')\nopen(A + '.own/pack.py', 'w').close()\nsys.path.insert(0, A + '.own')\n"
        "os.unlink(S + '/pack/inner.py')\nimport pack.inner",
    ],
)
def test_what_is_the_program_s_own_fault_stays_that(ask, scenario):
    assert ask(scenario)[1:] == ["0"]


def test_the_remedy_without_self_commands(ask, tmp_path):
    lines = ask("os.unlink(A + '/app/helper.py')\nimport helper", verify=False)
    assert lines[-1] == f"  -> remove the folder {tmp_path}/layers/{APP}, then start the program again"


REFUSED = "raise PermissionError({}, 'no', {})"


@pytest.mark.parametrize(
    ("scenario", "path"),
    [
        (REFUSED.format(13, "A + '/app/log.txt'"), f"{APP}/app/log.txt"),
        (REFUSED.format(1, "S + '/pack/cache'"), f"{DEPS}/site-packages/pack/cache"),
        ("raise OSError(30, 'no', A + '/app/store.json')", f"{APP}/app/store.json"),
        ("raise OSError(13, 'no', '/tmp/x', None, A + '/app/store.json')", f"{APP}/app/store.json"),
        ("os.chdir(A)\n" + REFUSED.format(13, "'app'"), f"{APP}/app"),
        ("open(A + '/app/store.json', 'w').write('[1]')\n" + REFUSED.format(13, "A + '/app/store.json'"), "store.json"),
        ("try:\n    " + REFUSED.format(13, "A + '/app/x'") + "\nexcept OSError:\n    1 / 0", f"{APP}/app/x"),
    ],
)
def test_a_write_that_is_refused_is_no_damage_and_has_a_hint(ask, scenario, path):
    _, code, *lines = ask(scenario)
    assert (code, len(lines)) == ("1", 2)
    assert f"{path} is among the program's own files, which are read-only" in lines[0]
    assert "a folder of the user" in lines[1]


@pytest.mark.parametrize("where", ["'/etc/passwd'", "None", "3", "A + 'x/y'", "''"])
def test_a_write_elsewhere_has_no_hint(ask, where):
    assert ask(REFUSED.format(13, where))[1:] == ["0"]


def test_a_tool_that_may_not_be_started_has_no_hint(ask):
    assert ask("import subprocess\nsubprocess.run([A + '/app/tool'])")[:2] == ["PermissionError", "0"]


def test_layers_that_are_reached_by_a_link(ask, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    scenario = f"os.unlink(A + '/app/store.json')\nopen('{tmp_path}/link/layers/{APP}/app/store.json')"
    assert ask(scenario)[1] == "111"


def test_groups_are_looked_into(ask):
    scenario = (
        "os.unlink(A + '/app/helper.py')\ntry:\n    import helper\nexcept ImportError as error:\n    found = error\n"
    )
    scenario += "found.__context__ = None\nraise ExceptionGroup('several', [ValueError(1), found])"
    name, code, *_ = ask(scenario)
    assert name == "NameError" or code == "111"  # before 3.11 there are no groups


@pytest.mark.parametrize(
    "scenario",
    [
        "class Odd(Exception):\n    def __str__(self): raise ValueError\nraise Odd",
        "class Odd(AttributeError):\n    obj = property(lambda self: 1 / 0)\nraise Odd",
        "class Odd(OSError):\n    filename = property(lambda self: 1 / 0)\nraise Odd",
        "os.unlink(A + '/launch')\ndef deep(): deep()\ndeep()",
        "error = ValueError()\nerror.__cause__ = error\nraise error",
        "sys.path[:] = [None, 3, '', A, chr(0)]\nimport of_nobody",
        "import shutil\nshutil.rmtree(os.path.dirname(A))\n1 / 0",
        "os.chdir(A + '/app/lib')\nos.unlink('data.txt')\nos.rmdir(A + '/app/lib')\nopen('x')",
    ],
)
def test_it_never_fails_itself(ask, scenario):
    assert ask(scenario)[1:] == ["0"]
