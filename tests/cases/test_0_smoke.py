"""The main job: the four examples are built for real and run."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile

import pytest

from .conftest import GNU, MUSL


@pytest.mark.parametrize("target", [GNU, MUSL])
def test_hello(built, start, target):
    done = start(built("hello", target), "Ada")
    assert (done.code, done.err) == (0, "")
    assert "Ada" in done.out


@pytest.mark.parametrize("target", [GNU, MUSL])
def test_greet_with_third_party_packages(built, start, target):
    done = start(built("greet", target), "--name", "Ada Lovelace")
    assert (done.code, done.err) == (0, "")
    assert "Ada Lovelace" in done.out


def test_calc_with_native_packages(built, start):
    done = start(built("calc"))
    assert done.code == 0, done.text
    assert "x = 2, y = 3, z = -1" in done.out


@pytest.mark.parametrize("target", [GNU, MUSL])
def test_fetch_over_tls(built, start, target, https_server):
    address, authority = https_server
    done = start(built("fetch", target), address, "--ca", str(authority))
    assert done.code == 0, done.text
    assert done.out.startswith("200 ")
    refused = start(built("fetch", target), address)
    assert refused.code != 0
    assert "certificate verify failed" in refused.text.lower()


@pytest.mark.parametrize("target", [GNU, MUSL])
def test_unzip_and_python_take_the_bundle(built, target, tmp_path):
    bundle = built("hello", target)
    listed = subprocess.run(["unzip", "-l", bundle], capture_output=True, text=True, check=False)
    assert listed.returncode == 0, listed.stderr
    assert "app/hello.py" in listed.stdout
    env = {"PYPACK_CACHE_DIR": str(tmp_path / "c")}
    done = subprocess.run([sys.executable, bundle, "Ada"], capture_output=True, text=True, check=False, env=env)
    assert "Ada" in done.stdout, done.stderr
    with zipfile.ZipFile(bundle) as packed:
        assert packed.testzip() is None


def test_what_a_program_sees(built, start, checkout):
    (checkout.path / "probe.py").write_text(
        "import json, os, sys\n"
        "print(json.dumps({'argv': sys.argv, 'orig': sys.orig_argv, 'exe': sys.executable, 'path': sys.path,\n"
        "  'prefix': sys.prefix, 'file': __file__, 'name': __name__, 'pypack': vars(sys.pypack),\n"
        "  'main': __spec__ is None, 'builtins': [exit.name, quit.name, bool(help)],\n"
        "  'flags': [sys.flags.isolated, sys.flags.no_site, sys.flags.dont_write_bytecode], 'env': dict(os.environ),\n"
        "  'version': list(sys.version_info[:3]), 'text': sys.version}))\n"
    )
    checkout.scons("app=probe.py", "profile=dev", "runtime=host")
    import json

    bundle = checkout.bundle("probe")
    done = start(bundle, "a b", "c\nd", env={"MARK": "ü", "PYPACK_DEBUG": "0"})
    assert done.code == 0, done.text
    seen = json.loads(done.out)
    assert seen["argv"] == [str(bundle), "a b", "c\nd"]
    assert seen["orig"] == [seen["exe"], *seen["argv"]], "what starts it again"
    assert seen["name"] == "__main__"
    assert seen["file"].endswith("/app/probe.py")
    assert seen["main"] is True
    assert seen["flags"] == [0, 0, bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))]
    assert seen["exe"].endswith(f"/apps/{seen['pypack']['id']}/bin/probe")
    assert seen["pypack"]["bundle"] == str(bundle)
    assert (seen["pypack"]["target"], seen["pypack"]["mode"]) == (GNU, "onefile")
    assert seen["path"][0].endswith("/app")
    assert all("/layers/" in entry for entry in seen["path"][:-1])
    assert seen["path"][-1].startswith(f"{seen['prefix']}/lib/python")
    assert seen["env"]["MARK"] == "ü"
    assert "PYPACK_DEBUG" not in seen["env"]
    assert seen["text"].startswith(".".join(map(str, seen["version"])))
    assert seen["version"] == list(sys.version_info[:3])
