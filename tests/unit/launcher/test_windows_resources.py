"""Icon, version information and manifest of a Windows program: what is refused, and the script that zig is given."""

from __future__ import annotations

import struct
import zlib
from xml.etree import ElementTree

import pytest

from pypack.base import targets
from pypack.errors import InputError
from pypack.launcher import icon, resources
from pypack.project import program

TABLE = targets.load()
X86, ARM, LINUX = TABLE["windows-x86_64"], TABLE["windows-aarch64"], TABLE["linux-gnu-x86_64"]


def png(size: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + b"\xff\0\0\xff" * size for _ in range(size))
    head = struct.pack(">IIBBBBB", size, size, 8, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def bitmap(size: int) -> bytes:
    head = struct.pack("<IiiHHIIiiII", 40, size, 2 * size, 1, 32, 0, 4 * size * size, 0, 0, 0, 0)
    return head + b"\x10\x20\x30\xff" * (size * size) + bytes((size + 31) // 32 * 4 * size)


def ico(*pictures: tuple[int, bytes], kind: int = 1) -> bytes:
    head, body = struct.pack("<HHH", 0, kind, len(pictures)), b""
    for size, data in pictures:
        at = 6 + 16 * len(pictures) + len(body)
        head += struct.pack("<BBBBHHII", size % 256, size % 256, 0, 0, 1, 32, len(data), at)
        body += data
    return head + body


@pytest.fixture
def app(tmp_path):
    """Make a project from the text of its pyproject.toml."""

    def app(text: str = "", **files: bytes) -> program.Project:
        (tmp_path / "main.py").write_text("print(1)\n")
        (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
        for name, data in files.items():
            (tmp_path / name.replace("_", ".")).write_bytes(data)
        return program.load(tmp_path, **({} if "name" in text else {"name": "greet"}))

    return app


# --- icons ------------------------------------------------------------------------------------------------------------


def test_icons_of_bitmaps_and_of_png_are_taken():
    assert icon.fault(ico((16, bitmap(16)), (32, bitmap(32)), (256, png(256)))) == ""


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "cut short"),
        (b"\0\0\1", "cut short"),
        (b"GIF89a" + bytes(100), "not those of an .ico"),
        (png(16), "it is a PNG picture"),
        (ico((16, bitmap(16)), kind=2), "mouse pointer"),
        (ico(), "holds no picture"),
        (ico((16, bitmap(16)))[:-1], "picture 1 ends behind"),
        (ico((16, bitmap(16)), (16, png(16)))[:20], "list of pictures"),
        (struct.pack("<HHH", 0, 1, 0xFFFF) + bytes(64), "list of pictures"),
        (ico((16, b"")), "picture 1 is nowhere"),
        (ico((16, b"x" * 100)), "picture 1 is neither"),
        (ico((16, bitmap(16)), (16, b"\x89PNG\r\n\x1a\n")), "picture 2 is neither"),
        (struct.pack("<HHHBBBBHHII", 0, 1, 1, 16, 16, 0, 0, 1, 32, 50, 4) + bytes(100), "nowhere"),
        (struct.pack("<HHHBBBBHHII", 0, 1, 1, 16, 16, 0, 0, 1, 32, 0xFFFFFFFF, 22) + bytes(100), "ends behind"),
        (struct.pack("<HHHBBBBHHII", 0, 1, 1, 16, 16, 0, 0, 1, 32, 40, 0xFFFFFFF0) + bytes(100), "ends behind"),
    ],
)
def test_what_is_no_icon(data, told):
    assert told in icon.fault(data)


def test_an_icon_cut_anywhere_is_no_icon():
    whole = ico((16, bitmap(16)), (32, png(32)))
    assert all(icon.fault(whole[:size]) for size in range(len(whole)))


def test_a_bad_icon_is_one_clear_error_before_anything_is_built(app):
    found = app('[tool.pypack]\nicon = "app.ico"', app_ico=png(16))
    with pytest.raises(InputError, match=r"app\.ico is no icon: it is a PNG picture"):
        resources.step(found, X86)
    assert resources.step(found, LINUX) is None


def test_an_icon_that_is_missing(app):
    with pytest.raises(InputError, match=r"other\.ico cannot be read: No such file"):
        resources.step(app('[tool.pypack]\nicon = "other.ico"'), X86)


# --- settings ---------------------------------------------------------------------------------------------------------


def test_what_the_project_says_of_itself(app):
    found = app(
        """
        [project]
        name = "greet"
        version = "1.2.3"
        description = "Greets"
        authors = [{ name = "Müller & Søn" }, { email = "x@example.org" }, { name = "日本" }]
        """
    )
    assert (found.company, found.description, found.copyright) == ("Müller & Søn, 日本", "Greets", "")
    assert (found.console, found.icon) == (True, None)
    assert resources.texts(found, X86) == {
        "CompanyName": "Müller & Søn, 日本",
        "FileDescription": "Greets",
        "FileVersion": "1.2.3",
        "InternalName": "greet",
        "OriginalFilename": "greet.exe",
        "ProductName": "greet",
        "ProductVersion": "1.2.3",
    }


def test_settings_win_over_the_metadata(app):
    found = app(
        """
        [project]
        name = "x"
        description = "a"
        authors = [{ name = "b" }]
        [tool.pypack]
        description = "c"
        company = "d"
        copyright = "© e"
        console = false
        icon = "app.ico"
        """,
        app_ico=ico((16, bitmap(16))),
    )
    assert (found.description, found.company, found.copyright, found.console) == ("c", "d", "© e", False)
    assert found.icon == found.folder / "app.ico"
    step = resources.step(found, X86)
    assert step is not None
    assert step.inputs == (found.icon,)
    assert step.product.endswith(".res")


def test_faults_of_the_settings(app):
    with pytest.raises(InputError, match=r"console: must be true or false, is 'no'"):
        app('[tool.pypack]\nconsole = "no"')
    with pytest.raises(InputError, match=r"icno: not known \(did you mean icon"):
        app('[tool.pypack]\nicno = "x.ico"')
    with pytest.raises(InputError, match="CompanyName of the program for Windows has more than 1000 characters"):
        resources.step(app(f'[tool.pypack]\ncompany = "{"x" * 1001}"'), X86)


def test_there_are_resources_without_any_setting_and_one_file_serves_both_processors(app):
    found = app()
    first, second = resources.step(found, X86), resources.step(found, ARM)
    assert first is not None
    assert second is not None
    assert (first.product, first.params, first.inputs) == (second.product, second.params, ())


# --- the script -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "numbers"),
    [
        ("1.2.3", (1, 2, 3, 0)),
        ("1.2.3.4.5", (1, 2, 3, 4)),
        ("2026.11", (2026, 11, 0, 0)),
        ("1.0rc1", (1, 0, 0, 0)),
        ("v1.2+local.7", (1, 2, 0, 0)),
        ("1!2.0", (2, 0, 0, 0)),
        ("1.99999", (1, 65535, 0, 0)),
        ("0", (0, 0, 0, 0)),
        ("unknown", (0, 0, 0, 0)),
        ("", (0, 0, 0, 0)),
    ],
)
def test_versions_become_four_numbers(version, numbers):
    assert resources.numbers(version) == numbers


def test_texts_are_quoted():
    params = {"texts": {"CompanyName": 'A "b" \\n c\nd\x07 é 🐍', "FileDescription": "\u202e"}, "version": "1.0b2"}
    text = resources.script(params, has_icon=True)
    assert 'VALUE "CompanyName", L"A ""b"" \\\\n c d  é 🐍"' in text
    assert 'VALUE "FileDescription", L" "' in text
    assert "FILEVERSION 1,0,0,0\n" in text
    assert "FILEFLAGS 0x2\n" in text
    assert '1 ICON "app.ico"\n' in text
    assert "ICON" not in resources.script(params, has_icon=False)


def test_the_manifest_says_what_python_exe_says():
    tree = ElementTree.fromstring(resources.MANIFEST.encode())
    tags = {each.tag.rsplit("}", 1)[-1]: each for each in tree.iter()}
    assert tags["requestedExecutionLevel"].get("level") == "asInvoker"
    assert tags["longPathAware"].text == "true"
    assert len([each for each in tree.iter() if each.tag.endswith("}supportedOS")]) == 4
    assert "dpiAware" not in tags
    assert "activeCodePage" not in tags
