"""SCons as people use it: what is up to date, what the cache gives, help, cleaning, a SConstruct of one's own."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys

import pytest
import uv

from pypack.bundle import verify

from .conftest import GNU, HERE, MUSL, Checkout, copy_tree, run, steps


def test_a_second_run_does_nothing(checkout, own_cache):
    assert "bundle" in steps(checkout.scons(*own_cache))
    again = checkout.scons(*own_cache)
    assert steps(again) == []
    assert "is up to date" in again.out


def test_a_changed_app_file_redoes_app_and_bundle_only(checkout, own_cache, start):
    checkout.scons(*own_cache)
    script = checkout.path / "examples/hello/hello.py"
    script.write_text(script.read_text() + "\nprint('changed')\n")
    assert sorted(steps(checkout.scons(*own_cache))) == ["app", "bundle", "check"]
    assert "changed" in start(checkout.bundle("hello")).out
    os.utime(script, (1, 1))
    assert steps(checkout.scons(*own_cache)) == []
    (script.parent / "more.py").write_text("x = 1\n")
    assert sorted(steps(checkout.scons(*own_cache))) == ["app", "bundle", "check"]
    (script.parent / "more.py").unlink()
    script.write_text(script.read_text().removesuffix("\nprint('changed')\n"))
    back = checkout.scons(*own_cache, "verbose=yes")
    assert "app" not in steps(back)
    assert "Retrieved `.pypack/apps/hello" in back.out


def test_two_bundles_of_one_name_cannot_get_each_other_s_packages(checkout):
    for name, package in (("a", "click"), ("b", "idna")):
        (checkout.path / f"{name}.txt").write_text(f"{package}\n")
    (checkout.path / "SConstruct").write_text(
        "import pypack\nenv = Environment(tools=[pypack.generate])\nfor name in 'ab':\n"
        "    env.PyBundle('t', app='examples/hello', requirements=f'{name}.txt', runtime='host', profile='dev',\n"
        "        out=f'dist/{name}/t')\n"
    )
    done = checkout.scons(ok=False)
    assert done.code == 2
    assert "give one of them another name" in done.err


def test_a_bundle_does_not_depend_on_which_other_targets_are_asked_for(checkout):
    words = ("app=examples/hello", "profile=dev")
    checkout.scons(*words, f"target={MUSL}")
    alone = checkout.bundle("hello", MUSL).read_bytes()
    shutil.rmtree(checkout.path / "dist")
    checkout.scons(*words, f"target={GNU},{MUSL}")
    assert checkout.bundle("hello", MUSL).read_bytes() == alone


def test_one_program_twice_with_a_report_each(checkout):
    (checkout.path / "SConstruct").write_text(
        "import pypack\nenv = Environment(tools=[pypack.generate])\nfor name in ('one', 'two'):\n"
        "    env.PyBundle('t', app='examples/hello', runtime='host', profile='dev', out=f'{name}/t',\n"
        "        environment='standard' if name == 'two' else 'isolated', report=f'{name}/report.json')\n"
    )
    checkout.scons()
    isolated, standard = (verify.read(checkout.path / name / "t") for name in ("one", "two"))
    assert isolated.id != standard.id, "neither was written over the other"
    assert (checkout.path / "one/report.json").is_file()
    assert checkout.scons().out.count("is up to date") == 1


@pytest.mark.parametrize("target", [GNU, MUSL])
def test_sources_in_any_script_and_encoding_are_compiled(checkout, start, target):
    """The parser takes modules with files of their own for them; an image with what compiles must have these."""
    app = checkout.path / "scripts"
    app.mkdir()
    (app / "scripts.py").write_text(
        "import japanese, latin\nﬁ = größe = '\\N{GREEK SMALL LETTER ALPHA}'\nprint(fi, japanese.word, latin.word)\n"
    )
    (app / "japanese.py").write_bytes("# coding: euc-jp\nword = '日本'\n".encode("euc-jp"))
    (app / "latin.py").write_bytes("# coding: iso-8859-15\nword = '€'\n".encode("iso-8859-15"))
    words = ("profile=dev", "sources=no", *(["runtime=host"] if target == GNU else []))
    checkout.scons(f"app={app}", f"target={target}", *words)
    done = start(checkout.bundle("scripts", target), env={"PYTHONUTF8": "1", "LC_ALL": "C.UTF-8"})
    assert done.out == "α 日本 €\n", done.err


def wheel(folder, version):
    """Write a wheel of a package that says its version."""
    import base64
    import zipfile

    folder.mkdir(exist_ok=True)
    files = {
        "saying.py": f"version = {version!r}\n",
        f"saying-{version}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: saying\nVersion: {version}\n",
        f"saying-{version}.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = [
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip('=')},{len(text)}"
        for name, text in files.items()
    ]
    files[f"saying-{version}.dist-info/RECORD"] = "\n".join([*rows, f"saying-{version}.dist-info/RECORD,,", ""])
    with zipfile.ZipFile(folder / f"saying-{version}-py3-none-any.whl", "w") as out:
        for name, text in files.items():
            out.writestr(name, text)


def test_locks_are_kept_upgraded_and_never_followed_when_outdated(checkout, own_cache, start):
    """An index of local wheels: newer releases appear, old ones go."""
    app = checkout.path / "examples/hello"
    wheel(app / "wheels", "1.0")
    (app / "hello.py").write_text("import saying\nprint(saying.version)\n")
    (app / "requirements.txt").write_text("--no-index\n--find-links wheels\nsaying\n")
    words = (*own_cache, "name=hello")

    def said(*more):
        checkout.scons(*words, *more)
        return start(checkout.bundle("hello")).out

    assert said() == "1.0\n"
    wheel(app / "wheels", "1.1")
    assert said() == "1.1\n"  # what the folder has decides
    wheel(app / "wheels", "1.0")
    assert said("upgrade=1") == "1.1\n"
    shutil.rmtree(checkout.path / ".pypack")
    assert said() == "1.1\n"  # the renewed lock is what the cache gives
    (app / "requirements.txt").write_text("./wheels/saying-1.0-py3-none-any.whl\n")
    assert said() == "1.0\n"
    (app / "wheels/saying-1.0-py3-none-any.whl").unlink()
    shutil.rmtree(checkout.path / ".pypack/fetch", ignore_errors=True)
    (app / "requirements.txt").write_text("--no-index\n--find-links wheels\nsaying>1\n")
    assert said() == "1.1\n"


def test_builders_of_single_steps(checkout):
    (checkout.path / "SConstruct").write_text(
        "import pypack\nenv = Environment(tools=[pypack.generate])\nimage = env.PyRuntime(runtime='host')\n"
        "env.Command('listing', image, 'tar tf $SOURCE > $TARGET')\n"
    )
    checkout.scons()
    assert f"bin/python{sys.version_info[0]}.{sys.version_info[1]}\n" in (checkout.path / "listing").read_text()


def test_clean_removes_what_was_built(checkout, own_cache):
    checkout.scons(*own_cache)
    checkout.scons("-c", *own_cache)
    left = [path for path in checkout.path.glob("dist/**/*") if path.is_file()]
    left += checkout.path.glob(".pypack/**/*.tar")
    assert left == []


def test_clean_asks_no_index_and_makes_nothing(checkout):
    """The lock that a plan takes is not there any more, and the index cannot be reached."""
    (checkout.path / "examples/hello/requirements.txt").write_text("click\n")
    words = ("app=examples/hello", "runtime=host", "profile=dev")
    out = checkout.bundle("hello")
    left = checkout.path / ".pypack/apps/hello" / GNU / "left"
    for file in (out, left):
        file.parent.mkdir(parents=True)
        file.write_bytes(b"")
    unreachable = {
        **checkout.env,
        "UV_INDEX_URL": "http://127.0.0.1:9/simple",
        "UV_CACHE_DIR": str(checkout.path / "uv"),
    }
    done = Checkout(path=checkout.path, env=unreachable).scons("-c", "-Q", *words)
    assert done.code == 0, done.text
    assert not out.exists()
    assert not left.exists()
    assert not list(checkout.path.rglob(".pypack/**/pylock.toml"))


def test_help_explains_every_variable(checkout):
    told = checkout.scons("-h").out
    names = "target app entry python runtime requirements profile startup sources offline"
    for name in names.split():
        assert re.search(rf"^{name}: \S", told, re.M), name
    assert "scons target=linux-musl-x86_64 app=examples/greet" in told


@pytest.mark.parametrize(("level", "shows"), [("1", False), ("2", True)])
def test_verbose_shows_commands(checkout, own_cache, level, shows):
    told = checkout.scons(*own_cache, f"verbose={level}").out
    assert bool(re.search(r"^\S*zig\S* .*-target x86_64-linux-musl ", told, re.M)) == shows, told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("target=linux-musl-x86",), "did you mean linux-musl-x86_64"),
        (("tagret=host",), "did you mean target"),
        (("app=nowhere",), "does not exist"),
        (("runtime=pbz",), "unknown runtime"),
        (("python=9.9", "runtime=host"), "the build runs on Python 3."),
        (("profile=fast",), "profile: must be one of release, dev, is 'fast'"),
    ],
)
def test_bad_input_is_one_clear_error(checkout, words, told):
    given = {word.split("=")[0]: word for word in ("app=examples/hello", *words)}
    done = checkout.scons(*given.values(), ok=False)
    assert done.code == 2
    assert told in done.err
    assert "Traceback" not in done.text
    assert not (checkout.path / "dist").exists()


def test_two_folders_with_separate_caches_give_the_same_bytes(tmp_path):
    sums = set()
    for name in ("one", "two/deeper in"):
        place = copy_tree(tmp_path / name / "checkout")
        env = {**os.environ, "PYPACK_CACHE_DIR": str(tmp_path / name / "cache"),
               "ZIG_GLOBAL_CACHE_DIR": str(tmp_path / name / "zig")}  # fmt: skip
        Checkout(path=place, env=env).scons("app=examples/greet", "profile=dev", "runtime=host")
        sums.add(hashlib.sha256((place / f"dist/{GNU}/greet").read_bytes()).hexdigest())
    assert len(sums) == 1


def test_a_sconstruct_of_one_s_own_with_the_installed_wheel(tmp_path):
    run([uv.find_uv_bin(), "build", "--wheel", "-q", "-o", tmp_path / "wheels", HERE])
    wheel = next((tmp_path / "wheels").glob("scons_pypack-*.whl"))
    folder = tmp_path / "venv"
    assert run([sys.executable, "-m", "venv", "--without-pip", folder]).code == 0
    python = folder / "bin/python"
    installed = run([uv.find_uv_bin(), "pip", "install", "-q", "--python", python, wheel])
    assert installed.code == 0, installed.text
    shutil.copytree(HERE / "examples", tmp_path / "mine")
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = run([python, "-m", "SCons", "-j2"], cwd=tmp_path / "mine/sconstruct", env=env)
    assert done.code == 0, done.text
    bundle = tmp_path / f"mine/sconstruct/dist/{GNU}/hello"
    said = subprocess.run(
        [bundle, "Ada"], capture_output=True, text=True, check=False, env={"PYPACK_CACHE_DIR": str(tmp_path / "c")}
    )
    assert "Ada" in said.stdout, said.stderr
    entry = tmp_path / "mine/hello/hello.py"
    words = ["build", "--entry", entry, "-o", "out/hi", "--profile", "dev", "--runtime", "host"]
    command = run([folder / "bin/pypack", *words], cwd=tmp_path, env=env)
    assert command.code == 0, command.text
    assert (tmp_path / "out/hi").is_file()
