"""Windows: the real CPython of python.org's embeddable package, under wine."""

from __future__ import annotations

import struct

import pefile
import pytest

TARGET = "windows-x86_64"
WORKERS = """
import multiprocessing, subprocess, sys

import package.inner

def square(number):
    return number * number

def main():
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        print("pool", pool.map(square, [1, 2, 3]))
    words = [sys.executable, "-c", "import sys, package.inner; print('child', package.inner.WORD, sys.argv[1:])", "a b"]
    print(subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip())
    words = [sys.executable, "-m", "package.inner"]
    print("module", subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip())
    sys.exit(7)

if __name__ == "__main__":
    main()
"""
PROBE = """
import json, os, sys, ssl, sqlite3, ctypes, hashlib, asyncio, lzma, bz2
print(json.dumps({
    "argv": sys.argv, "path": sys.path, "flags": [sys.flags.isolated, sys.flags.no_site], "executable": sys.executable,
    "name": sys.pypack.name, "target": sys.pypack.target, "file": __file__, "platform": sys.platform,
    "bundle": sys.pypack.bundle, "variable": os.environ.get("SEEN"),
    "own": [name for name in os.environ if name.startswith("PYPACK_") and name != "PYPACK_CACHE_DIR"],
}))
"""


@pytest.fixture(scope="module")
def workers(apps, place):
    folder = place.path / "programs" / "workers" / "package"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "inner.py").write_text("WORD = 'inner'\nif __name__ == '__main__':\n    print('run as', __name__)\n")
    settings = '[tool.pypack]\nentry = "workers.py"\n'
    return apps.bundle("workers", TARGET, script=WORKERS, settings=settings)


def test_children_see_what_the_program_sees(workers, start):
    done = start(workers, TARGET)
    assert "pool [1, 4, 9]" in done.out, done.text
    assert "child inner ['a b']" in done.out
    assert "module run as __main__" in done.out
    assert done.code == 7


def test_what_a_program_sees(apps, start):
    import json

    bundle = apps.bundle("probe", TARGET, script=PROBE)
    words = ["one two", 'quo"te', "back\\slash\\", "", "ümläut"]
    done = start(bundle, TARGET, *words, env={"SEEN": "yes", "PYPACK_DEBUG": ""})
    assert done.code == 0, done.text
    facts = json.loads(done.out)
    assert facts["argv"][1:] == words
    assert facts["argv"][0].lower().endswith("probe.exe")
    assert facts["flags"] == [0, 0]
    assert (facts["name"], facts["target"], facts["platform"]) == ("probe", TARGET, "win32")
    assert facts["variable"] == "yes"
    assert facts["own"] == []
    folder = str(bundle.parent).replace("/", "\\").lower()
    assert not any(folder in entry.lower() for entry in facts["path"]), facts["path"]
    assert all("bundle-cache" in entry for entry in facts["path"])


def test_a_command_sees_itself_as_an_installed_one_does(apps, start):
    script = "import sys\n\n\ndef main():\n    print(sys.argv[0])\n"
    bundle = apps.bundle("command", TARGET, script=script, settings='[tool.pypack]\nentry = "command:main"\n')
    assert bundle.suffix == ".exe"
    assert start(bundle, TARGET).out.strip().lower().endswith("\\command")


def test_native_packages(apps, start):
    done = start(apps.bundle("calc", TARGET), TARGET)
    assert "x = 2, y = 3, z = -1" in done.out, done.text


DAMAGED = """
import sys

print("before", flush=True)
if "write" in sys.argv:
    raise PermissionError(13, "no", __file__ + ".log")
import idna.core, package.inner
print(package.inner.WORD)
"""


def test_damage_is_found_in_the_process_itself(apps, place, start, tmp_path):
    """Paths there have other separators, another case, and may have a prefix."""
    folder = place.path / "programs/damaged/package"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "inner.py").write_text("WORD = 'inner'\n")
    (folder.parent / "requirements.txt").write_text("idna\n")
    bundle = apps.bundle("damaged", TARGET, script=DAMAGED, settings='[tool.pypack]\nentry = "damaged.py"\n')
    assert start(bundle, TARGET).out.split() == ["before", "inner"]
    done = start(bundle, TARGET, "write")
    assert done.code == 1
    assert "damaged.py.log is among the program's own files, which are read-only" in done.err
    for inside, how in (
        ("app/package/inner.py", "missing"),
        ("app/package/__pycache__/inner.*.pyc", "cut"),
        ("site-packages/idna/core.py", "missing"),
        ("site-packages/idna/__pycache__/core.*.pyc", "cut"),
    ):
        (path,) = (tmp_path / "bundle-cache").glob(f"layers/*/{inside}")
        kept = path.read_bytes()
        path.unlink()
        if how == "cut":
            path.write_bytes(kept[: len(kept) // 2])
        done = start(bundle, TARGET)
        path.write_bytes(kept)
        assert (done.code, done.out.split()) == (111, ["before"]), done.text
        words = "is missing" if how == "missing" else "is not what was unpacked"
        assert f"{path.name} {words}" in done.err
        assert "PYPACK_SELF=verify" in done.err
    assert start(bundle, TARGET).code == 0


def test_a_program_without_a_console(apps, start, tmp_path):
    script = (
        "import sys\nfrom pathlib import Path\n"
        "Path(sys.argv[1]).write_text(f'{sys.stdout is None} {sys.argv[2:]}', encoding='utf-8')\n"
    )
    bundle = apps.bundle("quiet", TARGET, script=script, settings="[tool.pypack]\nconsole = false\n")
    assert pefile.PE(bundle, fast_load=True).OPTIONAL_HEADER.Subsystem == 2
    done = start(bundle, TARGET, "written.txt", "ü")
    assert done.code == 0, done.text
    assert (tmp_path / "written.txt").read_text(encoding="utf-8").endswith("['ü']")


def icon():
    """A square of 16 by 16 points, as a .ico file holds it."""
    points = struct.pack("<IiiHHIIiiII", 40, 16, 32, 1, 32, 0, 16 * 16 * 4, 0, 0, 0, 0) + b"\xff\x80\x00\xff" * 256
    picture = points + bytes(16 * 4)
    return struct.pack("<HHH", 0, 1, 1) + struct.pack("<BBBBHHII", 16, 16, 0, 0, 1, 32, len(picture), 22) + picture


def test_icon_and_version_are_stamped(apps, place):
    folder = place.path / "programs" / "stamped"
    folder.mkdir(parents=True)
    (folder / "app.ico").write_bytes(icon())
    settings = 'description = "Ein schönes Programm"\n[tool.pypack]\nicon = "app.ico"\ncompany = "Grün & Söhne"\n'
    bundle = apps.bundle("stamped", TARGET, script="print(1)\n", settings=settings)
    found = pefile.PE(bundle)
    kinds = {entry.id for entry in found.DIRECTORY_ENTRY_RESOURCE.entries}
    assert {3, 14, 16, 24} <= kinds  # icon, group of icons, version, manifest
    texts = {key.decode(): value.decode() for table in found.FileInfo[0] if hasattr(table, "StringTable")
             for row in table.StringTable for key, value in row.entries.items()}  # fmt: skip
    assert texts["CompanyName"] == "Grün & Söhne"
    assert texts["FileDescription"] == "Ein schönes Programm"
    assert texts["ProductVersion"] == "1.2.3"


def test_what_is_no_icon_is_refused(apps, place):
    folder = place.path / "programs" / "bad"
    folder.mkdir(parents=True)
    (folder / "bad.py").write_text("print(1)\n")
    (folder / "app.ico").write_bytes(b"\x89PNG this is no icon")
    (folder / "pyproject.toml").write_text('[tool.pypack]\nicon = "app.ico"\n')
    done = place.scons("app=programs/bad", f"target={TARGET}", "profile=dev", ok=False)
    assert done.code == 2
    assert "app.ico" in done.text
    assert "Traceback" not in done.text


def test_what_the_embeddable_package_lacks_is_told(place):
    folder = place.path / "programs" / "window"
    folder.mkdir(parents=True)
    (folder / "window.py").write_text("import tkinter\nprint(tkinter)\n")
    done = place.scons("app=programs/window", f"target={TARGET}", "profile=dev")
    assert "the program imports tkinter, and this Python comes without" in done.out
