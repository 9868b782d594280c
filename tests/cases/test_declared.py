"""A bundle has what the program's own metadata says: packages, commands, and files that are no Python too."""

from __future__ import annotations

import shutil
import uuid

from .conftest import GNU, HERE

DEV = ("--profile", "dev", "--runtime", "host")


def test_what_a_program_declares_is_in_its_bundle(checkout, start, tmp_path):
    folder = tmp_path / "declared"
    shutil.copytree(HERE / "tests/projects/declared", folder)
    template = folder / "src/declared/templates/new.py"
    template.parent.mkdir()
    template.write_text("import {{ name }}\n")
    # the step cache would hand out an app that was built before, and nothing be said
    (folder / "src/declared/once.py").write_text(f"# {uuid.uuid4()}\n")
    done = checkout.pypack("build", str(folder), "--alias", *DEV)
    assert "the program is 3 commands (declared, extra, window): the name that it is started by" in done.out
    assert "note: not Python of this version, so bundled as data: declared/templates/new.py" in done.out
    assert "links beside it: extra, window" in done.out
    results = checkout.path / "dist" / GNU
    assert start(results / "declared").out == "main x import {{ name }}\n"
    assert start(results / "extra", "a").out == "extra a\n"
    assert start(results / "window").out == "window\n"

    (folder / "needs.txt").write_text("click\n")
    done = checkout.pypack("build", str(folder), "-r", str(folder / "needs.txt"), *DEV, ok=False)
    assert done.code == 1
    assert "the metadata of declared asks for packages that the bundle does not have:\n  idna is missing" in done.text
    assert "packages are named by needs.txt" in done.text
    assert start(results / "declared").out == "main x import {{ name }}\n"

    source = folder / "src/declared/__init__.py"
    source.write_text(f"from .templates import new\n{source.read_text()}")
    done = checkout.pypack("build", str(folder), *DEV, ok=False)
    assert done.code == 1
    assert "a file of the app cannot be compiled:\n  app/declared/templates/new.py:1: SyntaxError" in done.text


def test_a_folder_without_metadata_has_what_it_imports(checkout, start, tmp_path):
    folder = tmp_path / "plain"
    folder.mkdir()
    (folder / "main.py").write_text("import helper\nprint('started')\n")
    (folder / "helper.py").write_text("import sys\nif sys.platform == 'win32':\n    import winapi\nimport nowhere\n")
    done = checkout.pypack("build", str(folder), *DEV, ok=False)
    assert done.code == 1
    assert "the program cannot start without modules that nothing in the bundle provides:\n  helper.py:4 " in done.text
    (folder / "helper.py").write_text("def use():\n    import nowhere\n")
    done = checkout.pypack("build", str(folder), *DEV)
    assert "warning: helper.py:2 imports nowhere, and nothing in the bundle provides it" in done.out
    assert start(checkout.bundle("main")).out == "started\n"
