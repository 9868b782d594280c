"""The command ``pypack``: the options of the original, bad input, faults while building."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import zipfile
from functools import partial

import pytest

from pypack.base import folders
from pypack.bundle import verify

from .conftest import GNU, MUSL, run

DEV = ("--profile", "dev", "--runtime", "host")


def app(folder, text="import sys\nprint('hi', sys.argv[1:])\n", **files):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "main.py").write_text(text)
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(content)
    return folder


COLLECTOR = """
import gc
held = gc.get_threshold()[0], gc.get_freeze_count()
class Main:
    @staticmethod
    def run():
        assert held == (100000, 0), held
        assert gc.get_threshold()[0] < 10000 and gc.get_freeze_count() > 0
        return 5
"""


def products(checkout):
    return [path for path in (checkout.path / "dist").rglob("*") if path.is_file()]


def test_the_options_of_the_original(checkout, start, tmp_path):
    package = tmp_path / "myapp"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "helper.py").write_text("def word(): return 'relative'\n")
    (package / "__main__.py").write_text(
        "import click\nfrom .helper import word\nimport myapp.helper\n"
        "click.echo(f'{word()} {click.__version__} {__spec__.name}')\n"
    )
    (tmp_path / "needs.txt").write_text("click>=8\n")
    minor = f"{sys.version_info[0]}.{sys.version_info[1]}"
    checkout.pypack(
        "build",
        "--entry",
        str(package),
        "-r",
        str(tmp_path / "needs.txt"),
        "-o",
        "out dir/my app",
        "--python",
        minor,
        *DEV,
    )
    done = start(checkout.path / "out dir/my app")
    assert done.code == 0, done.text
    assert done.out.startswith("relative 8.")
    assert done.out.endswith("myapp.__main__\n")


def test_function_entries_and_no_sources(checkout, start, tmp_path):
    folder = app(tmp_path / "f", "")
    (folder / "pkg").mkdir()
    (folder / "pkg/__init__.py").write_text("")
    (folder / "pkg/cli.py").write_text(COLLECTOR)
    words = ["--entry", "pkg.cli:Main.run", "--name", "five", "--no-sources", "--startup", "fast"]
    checkout.pypack("build", str(folder), *words, *DEV)
    assert start(checkout.bundle("five")).code == 5
    listed = subprocess.run(["unzip", "-l", checkout.bundle("five")], capture_output=True, text=True, check=True).stdout
    assert "app/pkg/cli.pyc" in listed
    assert "app/pkg/cli.py\n" not in listed


def test_tracebacks_show_source_lines(checkout, start, tmp_path):
    last = "class Last:\n    def __del__(self): print('gone')\nlast = Last()\n"
    broken = app(tmp_path / "t", f"{last}def broken():\n    return 1 / 0\n\nbroken()\n")
    checkout.pypack("build", str(broken), "--name", "broken", *DEV)
    done = start(checkout.bundle("broken"))
    assert done.code == 1
    assert "return 1 / 0" in done.err
    assert "ZeroDivisionError" in done.err
    assert done.out == "gone\n"  # the program's own names go before Python itself


LONE = """\
# /// script
# dependencies = ["idna"]
# [tool.pypack]
# name = "alone"
# optimize = 2
# self-commands = false
# floors = { glibc = "2.28" }
# ///
import sys, idna
print(__debug__, sys.flags.optimize, idna.encode("ä").decode(), __file__.rpartition("/")[2])
"""


def test_a_script_by_itself_says_its_settings_and_options_win(checkout, start, tmp_path):
    (tmp_path / "tool.py").write_text(LONE)
    words = ("build", str(tmp_path / "tool.py"), *DEV, "--target", GNU)
    checkout.pypack(*words)
    assert start(checkout.bundle("alone")).text == "False 2 xn--4ca tool.py\n"
    assert verify.read(checkout.bundle("alone")).launch["self"] == ["off"]
    options = ("--optimize", "0", "--self-commands", "--name", "other", "--floor", "glibc=2.31", "--version", "3.1")
    checkout.pypack(*words, *options, "--environment", "standard", "--icon", "no.ico", "--no-console")
    assert start(checkout.bundle("other")).text == "True 0 xn--4ca tool.py\n"
    found = verify.read(checkout.bundle("other"))
    assert "self" not in found.launch
    assert found.manifest["version"] == "3.1"
    given = (f"app={tmp_path / 'tool.py'}", f"target={GNU}", "runtime=host", "profile=dev", "floors=glibc=2.31")
    checkout.scons(*given, "name=third", "optimize=0", "self_commands=yes", "version=3.1")
    assert verify.read(checkout.bundle("third")).manifest["optimize"] == 0


def test_targets_version_inspect(checkout, built):
    assert "linux-musl-x86_64" in checkout.pypack("targets").out
    assert checkout.pypack("--version").out.startswith("pypack 0.")
    told = checkout.pypack("inspect", str(built("greet"))).out
    assert "every hash is right" in told
    assert "click-" in told
    facts = json.loads(checkout.pypack("inspect", "--json", str(built("greet"))).out)
    assert facts["faults"] == []
    assert facts["manifest"]["glibc"]["floor"]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["build", "--entry", "missing.py"], 2, "does not exist"),
        (["build", "empty"], 2, "no entry point"),
        (["build", "package"], 2, "has no __main__.py"),
        (["build", "good", "-o", "good"], 2, "is a folder"),
        (["build", "good", "--name", "a/b"], 2, "cannot be the name of a file"),
        (["build", "good", "--target", "linux-gnu-x86"], 2, "did you mean linux-gnu-x86_64"),
        (["build", "good", "--target", "all", "-o", "x"], 2, "several targets"),
        (["build", "good", "-r", "nothing.txt", *DEV], 2, "does not exist"),
        (["build", "good", "-r", "good", *DEV], 2, "is a folder"),
        (["build", "good", "--python", "2.7", "--runtime", "host"], 2, "the build runs on Python 3."),
        (["build", "good", "--pyhton", "3.13"], 2, "did you mean --python"),
        (["build", "good", "--floor", "2.28"], 2, "--floor takes NAME=VERSION"),
        (["build", "good", "--floor", "glibc=2.10", "--target", GNU, *DEV], 2, "below 2.17"),
        (
            ["build", "good", "--floor", "glibc=new", "--mode", "twofile"],
            2,
            "mode: must be one of onefile, is 'twofile'",
        ),
        (["build", "good", "--environment", "user"], 2, "environment: must be one of isolated, standard"),
        (["build", "good", "--pins", "none.toml"], 2, "none.toml cannot be read"),
        (["build", "broken", *DEV], 1, "app/main.py:1: SyntaxError"),
        (["inspect", "good/main.py"], 2, "not a bundle"),
        (["build", "good", "-r", "unknown.txt", *DEV], 1, "Because no-such-package-pypack-zz was not found"),
        (["build", "good", "-r", "windows.txt", *DEV], 1, "windows.txt cannot be resolved for linux-gnu-x86_64"),
        (["build", "good", "-r", "windows.txt", "--target", MUSL], 1, "windows.txt cannot be resolved for linux-musl"),
    ],
)
def test_bad_input(checkout, words, code, told):
    app(checkout.path / "good")
    (checkout.path / "empty").mkdir()
    (checkout.path / "package").mkdir()
    (checkout.path / "package/__init__.py").write_text("")
    app(checkout.path / "broken", "if x = 1:\n    pass\n")
    (checkout.path / "unknown.txt").write_text("no-such-package-pypack-zz\n")
    (checkout.path / "windows.txt").write_text("pywin32\n")
    done = checkout.pypack(*words, ok=False)
    assert told in done.text, done.text
    assert done.code == code, done.text
    assert "Traceback" not in done.text
    assert products(checkout) == []


def test_run_prints_what_the_program_prints(checkout):
    app(checkout.path / "good")
    for _ in range(2):  # built, and there already
        done = checkout.pypack("run", "good", *DEV, "--", "one", "--two")
        assert done.out == "hi ['one', '--two']\n"
    told = checkout.pypack("run", "good", "--code", "7", ok=False)
    assert told.code == 2
    assert "stands behind --" in told.err


def test_a_file_that_is_no_bundle_is_not_written_over(checkout):
    app(checkout.path / "good")
    text = (checkout.path / "good" / "main.py").read_text()
    done = checkout.pypack("build", "good", "-o", "good/main.py", *DEV, ok=False)
    assert done.code == 2
    assert "is no bundle" in done.err
    assert "bridge.py" not in done.text
    assert (checkout.path / "good" / "main.py").read_text() == text
    for _ in range(2):  # a bundle may be
        checkout.pypack("build", "good", "-o", "out/tool", *DEV)


def test_an_unreachable_mirror_and_offline(checkout, tmp_path):
    app(checkout.path / "good", requirements__txt="click==8.1.8\n")
    env = {**checkout.env, "PYPACK_CACHE_DIR": str(tmp_path / "empty"), "PYPACK_MIRROR": "http://127.0.0.1:9/",
           "ZIG_GLOBAL_CACHE_DIR": str(folders.zig_cache())}  # fmt: skip
    words = [sys.executable, "-m", "pypack", "build", "good", "--runtime", "pbs", "--python", "3.13"]
    done = run(words, cwd=checkout.path, env={**env, "PYTHONPATH": str(checkout.path / "site_scons")})
    assert done.code == 3
    assert "could not be fetched:\n  http://127.0.0.1:9/cpython-3.13." in done.text
    assert ": no connection: Connection refused\n" in done.text
    assert "not asked: the build is offline" not in done.text
    offline = run(
        [*words, "--offline"], cwd=checkout.path, env={**env, "PYTHONPATH": str(checkout.path / "site_scons")}
    )
    assert offline.code == 3
    _, _, listed = offline.text.partition("the build is offline, and these files are not in the download cache:\n")
    names, _, remedy = listed.partition("  -> ")
    assert {name.split("-")[0] for name in names.split()} == {"click", "cpython"}, "all are told at once"
    assert remedy.startswith("build once without --offline\n")
    assert products(checkout) == []


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1 MB."""
    if os.geteuid() != 0:
        pytest.skip("CANNOT RUN: mounting a small file system takes root")
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=755", "tmpfs", small], check=True)
    yield small
    subprocess.run(["umount", small], check=True)


def test_a_full_disk_while_bundling_leaves_nothing(checkout, small_disk):
    app(checkout.path / "good")
    checkout.pypack("build", "good", *DEV)
    shutil.rmtree(checkout.path / "dist")
    done = checkout.pypack("build", "good", "-o", str(small_disk / "good"), *DEV, ok=False)
    assert done.code == 1
    assert "the disk is full" in done.text
    assert "Traceback" not in done.text
    assert list(small_disk.iterdir()) == []


def test_a_full_disk_while_downloading_leaves_nothing(checkout, small_disk, tmp_path):
    """The cache is on the small disk, the archive of the runtime comes from a local server and is larger."""
    app(checkout.path / "good")
    served = tmp_path / "served"
    served.mkdir()
    content = random.Random(5).randbytes(5_000_000)
    (served / "runtime.tar.gz").write_bytes(content)
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(served))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_address[1]}/runtime.tar.gz#sha256={hashlib.sha256(content).hexdigest()}"
    env = {**checkout.env, "PYPACK_CACHE_DIR": str(small_disk / "cache"),
           "PYTHONPATH": str(checkout.path / "site_scons")}  # fmt: skip
    words = [sys.executable, "-m", "pypack", "build", "good", "--runtime", address]
    done = run(words, cwd=checkout.path, env=env)
    server.shutdown()
    server.server_close()
    assert done.code != 0
    assert "the disk is full" in done.text
    assert "Traceback" not in done.text
    assert products(checkout) == []
    assert sum(path.stat().st_size for path in small_disk.rglob("*") if path.is_file()) < 1_000_000
    assert not list(small_disk.rglob("runtime.tar.gz"))


def test_two_folders_do_not_mix_up_what_was_built(checkout, start, tmp_path):
    for name in ("one", "two"):
        app(tmp_path / name / "tool", f"print({name!r}, 1)\n")
        checkout.pypack("build", "tool", "--name", "tool", *DEV, cwd=tmp_path / name)
    for name in ("one", "two"):
        app(tmp_path / name / "tool", f"print({name!r}, 2)\n")
        checkout.pypack("build", "tool", "--name", "tool", *DEV, cwd=tmp_path / name)
        assert start(tmp_path / name / f"dist/{GNU}/tool").out == f"{name} 2\n"
    assert not (checkout.path / "build").exists()


def test_the_result_is_not_packed_into_itself(checkout, start, tmp_path):
    folder = app(tmp_path / "self $ app")
    for _ in range(2):
        checkout.pypack("build", "-o", "tool", *DEV, cwd=folder)
    with zipfile.ZipFile(folder / "tool") as packed:
        assert [name for name in packed.namelist() if name.endswith(".py")] == ["__main__.py", "app/main.py"]
        assert "app/tool" not in packed.namelist()
    assert "up to date" in checkout.pypack("build", "-o", "tool", *DEV, cwd=folder).out


def test_a_script_in_a_subfolder_finds_what_stands_beside_it(checkout, start, tmp_path):
    folder = tmp_path / "sub"
    (folder / "lib").mkdir(parents=True)
    (folder / "lib/tool.py").write_text("import util\nprint(util.word)\n")
    (folder / "lib/util.py").write_text("word = 'beside'\n")
    checkout.pypack("build", str(folder), "--entry", "lib/tool.py", *DEV)
    assert start(checkout.bundle("tool")).out == "beside\n"


ODD = ["", "a b", 'say "hi"', "it's", "line\nbreak", "tab\t", "ünï", "日本", "*", "$HOME", "--", "-x=1", "\\"]


def test_odd_arguments_pass_through(checkout, start, tmp_path):
    folder = app(tmp_path / "odd", "import sys, json\nprint(json.dumps(sys.argv[1:]))\n")
    checkout.pypack("build", str(folder), "--name", "odd", *DEV)
    assert json.loads(start(checkout.bundle("odd"), *ODD).out) == ODD


def test_odd_places_links_and_path(checkout, start, tmp_path):
    folder = app(tmp_path / "where", "import sys\nprint(sys.argv[0]); print(sys.pypack.bundle)\n")
    checkout.pypack("build", str(folder), "--name", "where", *DEV)
    place = tmp_path / "a päth with\nspaces"
    place.mkdir()
    bundle = shutil.copy2(checkout.bundle("where"), place / "whére")
    assert start(bundle).out == f"{bundle}\n{bundle}\n"
    link = tmp_path / "link"
    link.symlink_to(bundle)
    assert start(link).out == f"{link}\n{bundle}\n"
    found = start("whére", env={"PATH": f"{place}:{os.environ['PATH']}"})
    assert found.out == f"{bundle}\n{bundle}\n", found.text
    relative = start("./whére", cwd=place)
    assert relative.out == f"./whére\n{bundle}\n"


@pytest.mark.parametrize("keep", [100, 400_000, -1000, -1])
def test_a_bundle_cut_short_is_one_error(checkout, start, tmp_path, built, keep):
    short = tmp_path / "short"
    short.write_bytes(built("hello").read_bytes()[:keep])
    short.chmod(0o755)
    if keep == 100:  # not even the launcher is whole: the system says so
        with pytest.raises(OSError, match="Exec format error"):
            start(short)
        return
    done = start(short)
    assert done.code == 101
    assert done.err.startswith("short: this file holds no program: it was cut short, or never had one\n  -> ")
    assert len(done.err.splitlines()) <= 4
    assert not list((tmp_path / "bundle-cache").rglob("*.pyc"))
