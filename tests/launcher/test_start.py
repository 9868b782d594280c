"""What a program started by the launcher sees. The runtime is a static C stand-in; real Pythons run in other cases."""

from __future__ import annotations

import os
import pty
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from pypack.bundle import verify
from tests.support.bundles import File, Recipe, bundle, write, write_sparse
from tests.support.launchers import environment, launcher, recipe

ODD = "a b\n'\"$(x)` \\ äöü☃ \udcff*"


def told(output: bytes) -> dict[str, list[str]]:
    """What the stand-in printed, by kind."""
    facts: dict[str, list[str]] = {}
    for line in output.decode().splitlines():
        kind, _, value = line.partition(" ")
        plain = os.fsdecode(bytes.fromhex(value)) if kind in {"word", "variable", "folder"} else value
        facts.setdefault(kind, []).append(plain)
    return facts


def start(words, env, **more) -> dict[str, list[str]]:
    done = subprocess.run(words, env=env, capture_output=True, check=False, **more)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    assert done.stderr == b""
    return told(done.stdout)


def test_words(hello, cache):
    facts = start([hello, "one", "", ODD], environment(cache))
    root = os.fspath(cache)
    first, *options, main, path, descriptor, number, called = facts["word"][:7]
    assert re.fullmatch(re.escape(root) + r"/apps/[0-9a-f]{32}/bin/hello", first)
    assert options == ["-O"]
    assert re.fullmatch(re.escape(root) + r"/layers/[0-9a-f]{32}/app/main\.py", main)
    assert number == verify.read(hello).id
    assert path == os.fspath(hello)
    assert int(descriptor) >= 10
    assert called == os.fspath(hello)
    assert facts["word"][7:] == ["one", "", ODD]


def test_a_payload_far_behind_4_gib(tmp_path, cache):
    """An executable for Linux may be larger than any number of 32 bits tells; this one is mostly a hole."""
    far = write_sparse(tmp_path / "hello", launcher(), recipe(), 5 << 30)
    if far.stat().st_blocks > 1 << 20:
        pytest.skip("this file system keeps no holes, and 5 GiB are too much for a test")
    facts = start([far, "word"], environment(cache))
    assert facts["word"][-1] == "word"
    found = verify.read(far)
    assert found.size == far.stat().st_size > 5 << 30
    assert [layer.kind for layer in found.layers] == ["runtime", "deps", "app"]


def test_environment_passes_byte_for_byte(hello, cache):
    own = {"PYPACK_DEBUG": "0", "PYPACK_DRYRUN": "", "PYPACK_INTERPRETER": "0", "PYPACK_SELF": ""}
    env = environment(cache, ODD="=x=", UMLAUT="ä\udcff", EMPTY="", PYPACK_DEBUGGER="stays", **{"with space": "1"})
    facts = start([hello], {**env, **own})
    (layer,) = cache.glob("layers/*/boot.pyc")
    added = {"PYTHONPATH": os.fspath(layer.parent)}
    assert facts["variable"] == [f"{name}={value}" for name, value in {**env, **added}.items()]


HIDDEN = ("PYTHONHOME", "PYTHONPLATLIBDIR", "PYTHONEXECUTABLE", "PYTHON_PRESITE", "__PYVENV_LAUNCHER__")
"""What says where the runtime is."""
SHOWN = ("PYTHONUNBUFFERED", "PYTHONUTF8", "PYTHONDEVMODE", "PYTHONWARNINGS", "PYTHONHASHSEED", "PYTHONUSERBASE")
"""What says how Python runs."""


def test_variables_that_choose_code_are_hidden_in_their_place(hello, cache):
    more = dict.fromkeys((*HIDDEN, "PYTHONPATH", "PYTHONSAFEPATH", "PYTHONSTARTUP", *SHOWN), "value")
    env = environment(cache, **more)
    facts = start([hello], env)
    renamed = {("PYPACK_HIDDEN_" + name if name in (*HIDDEN, "PYTHONPATH", "PYTHONSAFEPATH") else name): value
               for name, value in env.items()}  # fmt: skip
    (layer,) = cache.glob("layers/*/boot.pyc")
    added = [f"PYTHONPATH={layer.parent}", "PYPACK_OUTER_PYTHONPATH=value"]
    assert facts["variable"] == [*(f"{name}={value}" for name, value in renamed.items()), *added]
    interpreter = start([hello], {**env, "PYPACK_INTERPRETER": "1"})
    del renamed["PYTHONSTARTUP"]
    assert interpreter["variable"] == [*(f"{name}={value}" for name, value in renamed.items()), added[1]]


def test_nobody_else_gives_hidden_names(hello, cache):
    """What has one is given back its own by the bootstrap, so that only the launcher may hide anything."""
    env = environment(cache, PYPACK_HIDDEN_PYTHONINSPECT="1", PYPACK_HIDDEN_LD_PRELOAD="/nowhere.so")
    for more in ({}, {"PYPACK_INTERPRETER": "1"}):
        assert not [line for line in start([hello], {**env, **more})["variable"] if "HIDDEN" in line]


def test_a_standard_environment_counts_for_an_interpreter(tmp_path, cache):
    base = recipe()
    program = write(tmp_path / "hello", bundle(launcher(), recipe(extra=(*base.extra, "environment=standard"))))
    env = environment(cache, PYTHONPATH="value", PYTHONSTARTUP="value", PYTHONHOME="value")
    told = start([program], {**env, "PYPACK_INTERPRETER": "1"})["variable"]
    assert {"PYTHONPATH=value", "PYTHONSTARTUP=value", "PYPACK_HIDDEN_PYTHONHOME=value"} <= set(told)
    assert "PYPACK_HIDDEN_PYTHONPATH=value" in start([program], env)["variable"], "the bootstrap reads it"


def test_descriptors_signals_mask_and_folder(hello, cache, tmp_path):
    def prepare():
        os.umask(0o077)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
        os.dup2(1, 20)

    for _ in ("cold", "warm"):
        facts = start([hello], environment(cache), cwd=tmp_path, preexec_fn=prepare, close_fds=False)
        lock = facts["word"][4]
        ours = {"0", "1", "2", "20"}
        assert {lock} | ours <= set(facts["open"])
        assert facts["umask"] == ["77"]
        assert "2" in facts["ignored"]
        assert facts["blocked"] == ["10"]
        assert facts["folder"] == [os.fspath(tmp_path)]
    assert (cache / "layers").stat().st_mode & 0o777 == 0o755


def test_closed_standard_channels_stay_closed(hello, cache, tmp_path):
    """Nothing of ours may end up as somebody's standard output."""
    script = f"exec 0<&- 2>&-; exec '{hello}'"
    done = subprocess.run(["sh", "-c", script], env=environment(cache), stdout=subprocess.PIPE, check=False)
    facts = told(done.stdout)
    assert done.returncode == 0
    assert [number for number in facts["open"] if int(number) < 3] == ["1"]


def test_exit_code_and_killing_signal_pass(hello, cache):
    assert (
        subprocess.run([hello], env=environment(cache, STAND_IN_CODE="42"), capture_output=True, check=False).returncode
        == 42
    )
    process = subprocess.Popen([hello], env=environment(cache, STAND_IN_WAIT="30"), stdout=subprocess.PIPE)
    assert process.stdout
    process.stdout.readline()
    process.terminate()
    assert process.wait(10) == -signal.SIGTERM
    process.stdout.close()


def test_link_and_path(hello, cache, tmp_path):
    link = tmp_path / "other name"
    link.symlink_to(hello.name)
    facts = start([link, "x"], environment(cache))
    assert facts["word"][3:] == [os.fspath(hello), *facts["word"][4:6], os.fspath(link), "x"]
    folder = tmp_path / "programs"
    folder.mkdir()
    (folder / "greet").symlink_to(hello)
    env = environment(cache)
    facts = start(["sh", "-c", "greet y"], {**env, "PATH": f"{folder}:{env['PATH']}"})
    assert facts["word"][6:] == [os.fspath(folder / "greet"), "y"]
    facts = start(["./hello"], env, cwd=tmp_path)
    assert facts["word"][6] == "./hello"


def test_odd_folders(program, tmp_path):
    folder = tmp_path / "sp ace ü☃ 'q'"
    folder.mkdir()
    hello = write(folder / "hel lo", program)
    facts = start([hello], environment(folder / "cä che"))
    assert facts["word"][3] == os.fspath(hello)
    assert facts["word"][0].startswith(os.fspath(folder / "cä che"))


def test_without_a_name(hello, cache):
    done = subprocess.run([], executable=hello, env=environment(cache), capture_output=True, check=False)
    assert done.returncode == 0
    assert told(done.stdout)["word"][6] == os.fspath(hello)


def test_warm_start_is_a_few_system_calls(hello, cache, tmp_path):
    if not shutil.which("strace"):
        pytest.skip("strace is not here: the system calls of a warm start were NOT counted")
    start([hello], environment(cache))
    log = tmp_path / "log"
    done = subprocess.run(["strace", "-f", "-o", log, hello], env=environment(cache), capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"strace may not trace here, the system calls were NOT counted: {done.stderr.decode()}")
    lines = log.read_text(errors="replace").splitlines()
    execs = [number for number, line in enumerate(lines) if " execve(" in line]
    assert len(execs) == 2
    calls = lines[execs[0] + 1 : execs[1] + 1]
    assert len(calls) <= 40, "\n".join(calls)
    assert not [line for line in calls if "getdents" in line or "O_CREAT" in line or "mkdir" in line]


def test_interpreter(hello, cache):
    facts = start([hello, "-c", "x"], environment(cache, PYPACK_INTERPRETER="1"))
    assert facts["word"][0].startswith(os.fspath(cache / "apps"))
    assert facts["word"][1:] == ["-c", "x"]
    assert not [line for line in facts["variable"] if line.startswith("PYPACK_INTERPRETER")]
    assert max(map(int, facts["open"])) >= 10, "the lock: it holds the program as its own processes do"


CHILDREN = [
    ["-c", "from multiprocessing.spawn import spawn_main; spawn_main(pipe_handle=7)", "--multiprocessing-fork"],
    ["-B", "-E", "-c", "from multiprocessing.resource_tracker import main;main(5)"],
    ["-c", "from multiprocess.forkserver import main; main(3, 4, ['__main__'], **{})"],
    ["-c", "from billiard.semaphore_tracker import main;main(3)"],
    ["-c", "from joblib.externals.loky.backend.resource_tracker import main; main(7, False)"],
    ["-m", "joblib.externals.loky.backend.popen_loky_posix", "--process-name", "x"],
    ["--multiprocessing-fork", "parent_pid=1", "pipe_handle=2"],
    ["-c", "from billiard.spawn import spawn_main; spawn_main()", "--billiard-fork"],
]  # fmt: skip
OTHERS = [
    [],
    ["-c"],
    ["-c", "from multiprocessing import spawn"],
    ["-c", "import multiprocessing.spawn"],
    ["-c", "from x.spawn import spawn_main;"],
    ["x", "-c", "from multiprocessing.spawn import spawn_main;"],
    ["-m"],
    ["-m", "loky"],
]


@pytest.mark.parametrize("words", CHILDREN, ids=lambda words: " ".join(words)[:40])
def test_a_child_in_the_place_of_the_program_ends(hello, cache, words):
    """Else it would be the program once more, and start children of its own."""
    done = subprocess.run([hello, *words], env=environment(cache), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (112, "")
    assert "sys.executable" in done.stderr
    assert "word" in start([hello, *words], environment(cache, PYPACK_INTERPRETER="1"))


def test_other_words_are_the_program_s(hello, cache):
    for words in OTHERS:
        found = start([hello, *words], environment(cache))["word"]
        assert found[len(found) - len(words) :] == words


def test_dry_run_writes_nothing(hello, cache):
    done = subprocess.run(
        [hello, "it's"], env=environment(cache, PYPACK_DRYRUN="1"), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert not cache.exists()
    assert "would be unpacked" in done.stdout
    assert "'it'\\''s'" in done.stdout
    start([hello], environment(cache))
    done = subprocess.run(
        [hello], env=environment(cache, PYPACK_DRYRUN="1"), capture_output=True, text=True, check=False
    )
    assert "would be" not in done.stdout


def test_narration(hello, cache):
    done = subprocess.run(
        [hello], env=environment(cache, PYPACK_DEBUG="1"), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    told = [re.sub(r"^pypack +[0-9.]+ ms  ", "", line) for line in done.stderr.splitlines()]
    for line in (
        f"bundle {hello}, ",
        f"cache folder {cache} (",
        "unpacking the runtime layer, ",
        f"starting {cache}/apps/",
    ):
        assert [each for each in told if each.startswith(line)], line


def test_app_folder_is_a_virtual_environment(hello, cache):
    facts = start([hello], environment(cache))
    folder = Path(facts["word"][0]).parent.parent
    settings = (folder / "pyvenv.cfg").read_text().splitlines()
    runtime = (folder / "python/hello").resolve().parents[1]
    assert f"home = {runtime}/bin" in settings
    assert "include-system-site-packages = false" in settings
    assert not (folder / "python/hello").readlink().is_absolute()
    assert {each.name for each in (folder / "bin").iterdir()} == {"hello", "python", "python3"}
    site = folder / "lib/python3.13/site-packages"
    lines = (site / "pypack.pth").read_text().splitlines()
    assert [(site / line).resolve().name for line in lines] == ["app", "site-packages"]
    assert all((site / line).is_dir() and line.startswith("../") for line in lines)


def test_lines_of_the_pth_file_that_the_bundle_gives(tmp_path, cache):
    """What children run before anything else, e.g. so that .pth files of packages are looked at."""
    lines = ["import sys; sys.dont_write_bytecode = True", "import os; addsitedir('x=y')"]
    extra = (*Recipe.extra, *(f"pth={line}" for line in lines))
    program = write(tmp_path / "program", bundle(launcher(), recipe(extra=extra)))
    start([program], environment(cache))
    found = next((cache / "apps").rglob("pypack.pth")).read_text().splitlines()
    assert found[2:] == lines
    assert [line[:3] for line in found[:2]] == ["../", "../"]


def test_layers_hold_what_was_put_in(hello, cache):
    start([hello], environment(cache))
    for layer in (recipe().runtime, recipe().deps, recipe().app):
        folder = next(each for each in (cache / "layers").iterdir() if (each / layer[0].path).is_file())
        for member in layer:
            path = folder / member.path
            if member.link:
                assert path.readlink().as_posix() == member.link
            elif member.folder:
                assert path.is_dir()
            else:
                assert path.read_bytes() == member.data
                assert path.stat().st_mode & 0o777 == (0o555 if member.executable else 0o444)
    assert (cache / "CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d172789f06886806bc55")


@pytest.mark.parametrize("cut", [(512, 1024), (4096, 8192), (1 << 20, 8 << 20)])
def test_frames_of_all_sizes(tmp_path, cut):
    """Contents that end at, before and behind the ends of blocks and frames; long names and long link targets."""
    sizes = [0, 1, 511, 512, 513, 1023, 1024, 1025, 4095, 4096, 4097, 100_000]
    files = [File(path=f"data/{'n' * 120}{size}", data=os.urandom(size)) for size in sizes]
    more = [File(path="data/link", link="n" * 120 + "0"), *recipe().runtime]
    large = max(cut[1], 2048)
    made = recipe(runtime=[*files, *more])
    program = write(tmp_path / "hello", bundle(launcher(), made, cut=(cut[0], large)))
    facts = start([program], environment(tmp_path / "cache"))
    runtime = Path(facts["word"][0]).parents[1].joinpath("python/hello").resolve().parents[1]
    for file in files:
        assert (runtime / file.path).read_bytes() == file.data
    assert (runtime / "data/link").readlink().as_posix() == "n" * 120 + "0"


def test_terminal_gets_one_line_that_goes_away(tmp_path, cache):
    """A first start that takes long shows its progress on a terminal, and wipes it out."""
    data = [File(path=f"big/{number}", data=os.urandom(8 << 20)) for number in range(24)]
    program = write(tmp_path / "big", bundle(launcher(), recipe(name="big", runtime=[*data, *recipe().runtime])))
    above, below = pty.openpty()
    process = subprocess.Popen([program], env=environment(cache), stdout=subprocess.DEVNULL, stderr=below)
    os.close(below)
    while process.poll() is None:  # time passes in the middle of it, however fast the machine is
        time.sleep(0.005)
        process.send_signal(signal.SIGSTOP)
        time.sleep(0.1)
        process.send_signal(signal.SIGCONT)
    shown = b""
    try:
        while part := os.read(above, 65536):
            shown += part
    except OSError:  # the other end was closed
        pass
    os.close(above)
    assert process.wait() == 0
    assert re.search(rb"big: preparing for the first start \[#*\.*\] \d+%", shown)
    bars = re.findall(rb"\[(#*\.*)\] (\d+)%", shown)
    assert {len(bar) for bar, _ in bars} == {20}
    assert all(bar.count(b"#") == int(percent) // 5 for bar, percent in bars)
    assert shown.endswith(b"\r\x1b[K")


@pytest.mark.parametrize("proc", [True, False], ids=["with /proc", "without /proc"])
def test_nothing_but_the_bundle(tmp_path, program, proc):
    """No libc, no shell, no /dev, no /etc, no HOME: a folder that can be written is all there is."""
    if os.geteuid() != 0:
        pytest.skip("chroot needs root: the start on a bare system was NOT tested")
    root = tmp_path / "root"
    (root / "tmp").mkdir(parents=True)
    write(root / "hello", program)
    mount = "mkdir proc && mount -t proc proc proc && " if proc else ""
    script = f"cd '{root}' && {mount}exec env -i \"$(command -v chroot)\" . /hello x"
    done = subprocess.run(["unshare", "-m", "sh", "-c", script], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    facts = told(done.stdout)
    assert facts["word"][0].startswith("/tmp/pypack-0/apps/")
    assert facts["word"][3] == "/hello"
    assert (root / "tmp/pypack-0").stat().st_mode & 0o777 == 0o700


def test_relative_start_without_proc(tmp_path, program):
    if os.geteuid() != 0:
        pytest.skip("chroot needs root: finding itself without /proc was NOT tested")
    root = tmp_path / "root"
    (root / "tmp").mkdir(parents=True)
    (root / "sub").mkdir()
    write(root / "sub/real", program)
    (root / "hello").symlink_to("sub/real")
    script = f"cd '{root}' && exec env -i PATH=. \"$(command -v chroot)\" . hello"
    done = subprocess.run(["unshare", "-m", "sh", "-c", script], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert told(done.stdout)["word"][3] == "/sub/real"
