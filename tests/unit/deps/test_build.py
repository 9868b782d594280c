"""What is built from source, told from locks and folders; what its build says of itself; the wheel that comes out."""

from __future__ import annotations

import io
import tarfile
import zipfile

import pytest

from pypack.base import targets
from pypack.deps import lock
from pypack.deps.build import backend, folder, native, source, steps, toolchain, wheel_archive
from pypack.deps.build.builder import Builder
from pypack.errors import ArchiveError, InputError, StepError
from pypack.formats.image import list_image
from pypack.runtimes.base import Runtime
from pypack.steps.step import Context, Settings, Step

TABLE = targets.load()
GNU, ARM = TABLE["linux-gnu-x86_64"], TABLE["linux-musl-aarch64"]
HASHES = {"sha256": "0" * 64}


def tree(place, **files):
    for name, text in files.items():
        path = place / name.replace("__", "/").replace("_toml", ".toml").replace("_py", ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return place


def packed(place, names, texts=()):
    texts = dict(texts)
    with tarfile.open(place, "w:gz") as tar:
        for name in names:
            data = texts.get(name, "").encode()
            info = tarfile.TarInfo(f"p-1/{name}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return place


@pytest.mark.parametrize(
    ("names", "texts", "looks"),
    [
        (["setup.py", "p/__init__.py"], {}, False),
        (["setup.py", "p/_speed.c"], {}, True),
        (["setup.py", "tests/data/demo.c", "docs/x.cpp"], {}, False),
        (["pyproject.toml", "src/lib.rs", "Cargo.toml"], {}, True),
        (["setup.py"], {"setup.py": "setup(ext_modules=made())"}, True),
        (["setup.py"], {"setup.py": "setup(cffi_modules=['b.py:ffi'])"}, True),
        (["pyproject.toml"], {"pyproject.toml": '[build-system]\nrequires = ["setuptools", "Cython>=3"]\n'}, True),
        (["pyproject.toml"], {"pyproject.toml": '[build-system]\nrequires = ["hatchling"]\n'}, False),
        (["pyproject.toml"], {"pyproject.toml": "not toml ["}, False),
    ],
)
def test_native_code_is_seen_in_the_files(tmp_path, names, texts, looks):
    assert native.of_archive(packed(tmp_path / "p-1.tar.gz", names, texts)) is looks


def test_what_cannot_be_read_counts_as_native(tmp_path):
    (tmp_path / "p.tar.gz").write_bytes(b"no archive")
    assert native.of_archive(tmp_path / "p.tar.gz")


def test_a_folder_is_known_by_the_files_that_count(tmp_path):
    place = tree(tmp_path / "p", pyproject_toml="", src__p__a_py="1", build__x_py="old")
    tree(place / "p.egg-info", PKG="")
    (place / ".git").mkdir()
    (place / ".git" / "HEAD").write_text("x")
    (place / "again").symlink_to(place)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "d.txt").write_text("d")
    (place / "linked").symlink_to(tmp_path / "data")
    (place / "venv").mkdir()
    (place / "venv" / "pyvenv.cfg").write_text("")
    found = folder.read(place, tmp_path / "memory")
    assert [name for name, _ in found.files] == ["linked/d.txt", "pyproject.toml", "src/p/a.py"]
    (place / "build" / "x.py").write_text("new")
    assert folder.read(place, tmp_path / "memory").digest == found.digest
    (place / "src" / "p" / "a.py").write_text("2")
    assert folder.read(place, tmp_path / "memory").digest != found.digest


def test_the_metadata_of_local_projects_belongs_to_what_a_lock_is_made_from(tmp_path):
    for name in ("a", "b", "c", "d"):
        tree(tmp_path / name, pyproject_toml="")
    file = tmp_path / "r.txt"
    file.write_text(f"./a\n-e ./b[fast]  # mine\nthe-c @ file://{tmp_path}/c\nclick>=8\n# ./d\n-r other.txt\n./gone\n")
    assert folder.metadata_of_files([file]) == [tmp_path / name / "pyproject.toml" for name in ("a", "b", "c")]


def test_local_paths_of_a_pyproject_count_too(tmp_path):
    tree(tmp_path / "a", setup_py="")
    text = '[tool.uv.sources]\na = { path = "a", editable = true }\nb = { workspace = true }\n'
    tree(tmp_path, pyproject_toml=text)
    assert folder.metadata(folder.uv_paths(tmp_path / "pyproject.toml"), tmp_path) == [tmp_path / "a" / "setup.py"]


def package(**more):
    return {"name": "p", "version": "1", **more}


def test_rows_of_a_lock_become_sources(tmp_path):
    row = {"url": "https://x.test/p-1.tar.gz", "hashes": HASHES}
    pure = source.of_package(package(sdist=row, tool={"pypack": {"native": False}}), tmp_path, None)
    assert (pure.label, pure.native, pure.pin.file) == ("p 1", False, "p-1.tar.gz")
    assert source.of_package(package(sdist=row), tmp_path, None).native  # unknown: each target for itself
    inside = source.of_package(package(archive={**row, "subdirectory": "py"}), tmp_path, None)
    assert (inside.inside, inside.slug != pure.slug) == ("py", True)
    tree(tmp_path / "lib", pyproject_toml="", p_py="")
    local = source.of_package({"name": "p", "directory": {"path": "lib", "editable": True}}, tmp_path, None)
    assert (local.version, local.native, local.project.path) == ("", False, tmp_path / "lib")
    tree(tmp_path / "lib", pyproject_toml="", p_py="changed")
    changed = source.of_package({"name": "p", "directory": {"path": "lib"}}, tmp_path, None)
    assert changed.digest != local.digest
    assert changed.slug == local.slug, "products of earlier states of a folder are not left beside those of the last"
    assert source.of_package(package(wheels=[]), tmp_path, None) is None
    assert source.of_package(package(archive={"url": "https://x.test/p-1-py3-none-any.whl"}), tmp_path, None) is None


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"vcs": {"type": "svn", "url": "https://x.test/p"}}, "version control"),
        ({"vcs": {"type": "git", "url": "https://x.test/p"}}, "no commit"),
        ({"directory": {"path": "gone"}}, "gone does not exist"),
        ({"sdist": {"url": "https://x.test/p-1.tar.gz"}}, "no sha256"),
    ],
)
def test_rows_that_cannot_be_built(tmp_path, row, told):
    with pytest.raises((InputError, StepError), match=told):
        source.of_package(package(**row), tmp_path, None)


def test_wheels_win_and_the_rest_is_built(tmp_path):
    row = {"url": "https://x.test/p-1.tar.gz", "hashes": HASHES}
    wheel = {"url": "https://x.test/w-1-py3-none-any.whl", "hashes": HASHES}
    table = {"packages": [{"name": "w", "version": "1", "wheels": [wheel], "sdist": row}, package(sdist=row)]}
    chosen, built = lock.choose(table, GNU, "3.13", static=False, base=tmp_path)
    assert ([each.distribution for each in chosen], [each.distribution for each in built]) == (["w"], ["p"])
    assert lock.needs_native(table, ARM, "3.13")
    with pytest.raises(StepError, match="p 1: there is no wheel of it, and nothing may be built here"):
        lock.choose(table, GNU, "3.13", static=False, base=tmp_path, build=False)
    with pytest.raises(StepError, match="p 1: there is native source only"):
        lock.choose(table, ARM, "3.13", static=True, base=tmp_path)


def test_the_backend_of_a_tree(tmp_path):
    legacy = backend.read(tree(tmp_path / "a", setup_py=""), "a 1")
    assert (legacy.name, legacy.requires) == ("setuptools.build_meta:__legacy__", ("setuptools>=40.8.0",))
    text = '[build-system]\nrequires = []\nbuild-backend = "own"\nbackend-path = ["."]\n'
    assert backend.read(tree(tmp_path / "b", pyproject_toml=text), "b 1").path == (".",)
    assert backend.read(tree(tmp_path / "c", pyproject_toml="[project]\n"), "c 1").name == legacy.name


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("not toml [", "cannot be read"),
        ('[build-system]\nrequires = "x"\n', "not as PEP 517"),
        ('[build-system]\nbuild-backend = "own"\n', "not as PEP 517"),
        ('[build-system]\nrequires = []\nbackend-path = ["../x"]\n', "leaves its tree"),
        ("", "neither pyproject.toml nor setup.py"),
    ],
)
def test_trees_that_say_nothing_useful(tmp_path, text, told):
    with pytest.raises(StepError, match=rf"p 1.*{told}|{told}.*|.*p 1 {told}"):
        backend.read(tree(tmp_path, **({"pyproject_toml": text} if text else {"x_py": ""})), "p 1")


@pytest.mark.parametrize(
    ("name", "means"), [("maturin>=1", "Rust"), ("meson-python", "Meson"), ("scikit_build_core", "CMake")]
)
def test_what_cannot_be_cross_compiled_is_named_with_the_way_out(tmp_path, name, means):
    place = tree(tmp_path, pyproject_toml=f'[build-system]\nrequires = ["{name}"]\nbuild-backend = "x"\n')
    with pytest.raises(StepError) as caught:
        backend.refuse(place, "p 1", "3.13.5")
    assert "p 1 has to be built from source" in str(caught.value)
    assert means in str(caught.value)
    assert "which compiles for this machine only" in str(caught.value)
    assert "-> ask for a version that has a wheel" in str(caught.value)


@pytest.mark.parametrize(("name", "rust", "fails"), [
    ("maturin", "", True), ("maturin", "rustc 1.90.0", False), ("meson-python", "", False),
    ("scikit-build-core", "", False), ("sip", "rustc 1.90.0", True),
])  # fmt: skip
def test_what_compiles_for_this_machine_takes_its_tool(tmp_path, monkeypatch, name, rust, fails):
    place = tree(tmp_path, pyproject_toml=f'[build-system]\nrequires = ["{name}"]\nbuild-backend = "x"\n')
    monkeypatch.setattr(toolchain, "rust_version", lambda: rust)
    if not fails:
        backend.refuse(place, "p 1", "3.13.5", on_machine=True)
        return
    with pytest.raises(StepError, match="which is not on this machine") as caught:
        backend.refuse(place, "p 1", "3.13.5", on_machine=True)
    assert ("-> install Rust" in str(caught.value)) == (name == "maturin")


def test_a_newer_python_is_asked_for(tmp_path):
    place = tree(tmp_path, setup_py="")
    (place / "PKG-INFO").write_text("Metadata-Version: 2.1\nRequires-Python: >=3.14\n")
    with pytest.raises(StepError, match=r"p 1 needs Python >=3.14, and this is built for 3\.13\.5"):
        backend.refuse(place, "p 1", "3.13.5")
    backend.refuse(place, "p 1", "3.14.0")


def wheel(place, *, date, order=1, compression=zipfile.ZIP_DEFLATED):
    files = {"p.py": "x = 1\n", "p-1.dist-info/METADATA": "Name: p\n", "p-1.dist-info/RECORD": "old"}
    with zipfile.ZipFile(place, "w", compression) as out:
        for name in sorted(files)[::order]:
            info = zipfile.ZipInfo(name, date)
            info.external_attr = (0o100664 if order == 1 else 0o100600) << 16
            out.writestr(info, files[name])
    return place


def test_a_wheel_is_the_same_whenever_and_however_it_was_packed(tmp_path):
    (tmp_path / "1").mkdir()
    (tmp_path / "2").mkdir()
    name = "p-1-py3-none-any.whl"
    one = wheel(tmp_path / "1" / name, date=(2026, 1, 1, 0, 0, 0))
    two = wheel(tmp_path / "2" / name, date=(2020, 1, 1, 0, 0, 0), order=-1, compression=zipfile.ZIP_STORED)
    for number, path in enumerate((one, two)):
        wheel_archive.pack(path, tmp_path / f"{number}.tar", {"note.json": b"{}"})
    assert (tmp_path / "0.tar").read_bytes() == (tmp_path / "1.tar").read_bytes()
    with wheel_archive.open_wheel(tmp_path / "0.tar") as path:
        assert path.name == name
        with zipfile.ZipFile(path) as read:
            record = read.read("p-1.dist-info/RECORD").decode()
    assert "p-1.dist-info/note.json,sha256=" in record
    assert record.endswith("p-1.dist-info/RECORD,,\n")
    assert "old" not in record


def test_what_is_no_wheel_is_refused(tmp_path):
    (tmp_path / "p-1-py3-none-any.whl").write_bytes(b"PK no")
    with pytest.raises(ArchiveError, match="is no wheel"):
        wheel_archive.pack(tmp_path / "p-1-py3-none-any.whl", tmp_path / "b.tar", {})


def runtime(place, **more):
    image = Step(product=f"{place}.tar", action="a", version=1, run=lambda _: None)
    return Runtime(provider="given", version="3.13.5", output_dir=f"runtime/{place}", image=image, **more)


def test_pure_source_is_one_node_for_all_targets_and_native_source_one_for_each(tmp_path):
    builder = Builder(target=GNU, runtime=runtime("host"), folder=tmp_path)
    row = {"url": "https://x.test/p-1.tar.gz", "hashes": HASHES}
    pure = source.of_package(package(sdist=row, tool={"pypack": {"native": False}}), tmp_path, None)
    some = source.of_package(package(sdist=row), tmp_path, None)
    dev = Step(product="dev.tar", action="a", version=1, run=lambda _: None)
    places = [(TABLE[name], runtime(name, dev=dev)) for name in ("linux-gnu-x86_64", "linux-musl-aarch64")]
    assert len({steps.wheel_step(pure, builder, *each).product for each in places}) == 1
    assert len({steps.wheel_step(some, builder, *each).product for each in places}) == 2
    assert (
        steps.wheel_step(pure, builder, TABLE["macos-aarch64"], runtime("mac")).product
        == steps.wheel_step(pure, builder, *places[0]).product
    )
    for target, build, found, told in (
        (TABLE["macos-aarch64"], builder, runtime("mac", dev=dev), "packages are compiled on Linux for Linux only"),
        (GNU, builder, runtime("gnu"), "comes without headers"),
        (GNU, None, runtime("gnu"), r"nothing here can build for Python 3\.13"),
    ):
        with pytest.raises(StepError, match=f"p 1.*{told}"):
            steps.wheel_step(some, build, target, found)


def test_zig_is_told_a_raised_floor(tmp_path):
    builder = Builder(target=GNU, runtime=runtime("host"), folder=tmp_path)
    some = source.of_package(package(sdist={"url": "https://x.test/p-1.tar.gz", "hashes": HASHES}), tmp_path, None)
    dev = Step(product="dev.tar", action="a", version=1, run=lambda _: None)
    raised = targets.raised(GNU, {"glibc": "2.28"})
    assert (
        steps.wheel_step(some, builder, raised, runtime("x", dev=dev)).params["target"]["zig"]
        == "x86_64-linux-gnu.2.28"
    )
    assert steps.wheel_step(some, builder, ARM, runtime("x", dev=dev)).params["target"]["zig"] == "aarch64-linux-musl"


def test_an_sdist_that_leaves_its_tree_is_refused(tmp_path):
    with tarfile.open(tmp_path / "p-1.tar.gz", "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("p-1/../../evil"))
    work = Context(product=tmp_path / "tree.tar", inputs=(tmp_path / "p-1.tar.gz",), params={"inside": ""},
                   settings=Settings())  # fmt: skip
    with pytest.raises(ArchiveError, match="it leaves the tree"):
        steps._unpack(work)


def test_a_project_in_a_folder_of_an_sdist(tmp_path):
    file = packed(tmp_path / "p-1.tar.gz", ["README", "python/api/setup.py", "python/api/p.py"])
    work = Context(product=tmp_path / "tree.tar", inputs=(file,), params={"inside": "python/api"},
                   settings=Settings())  # fmt: skip
    steps._unpack(work)
    assert [each.path for each in list_image(tmp_path / "tree.tar")] == ["p.py", "setup.py"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p-1.tar.gz", "tree.tar"]


def test_a_project_of_ones_own_is_told_to_bring_its_wheel(tmp_path):
    (tmp_path / "pyproject.toml").write_text('[build-system]\nrequires = ["maturin"]\n')
    with pytest.raises(StepError) as caught:
        backend.refuse(tmp_path, "tool", "3.13.1", is_folder=True)
    assert "make its wheel where that tool is (pip wheel --no-deps .)" in str(caught.value)
    with pytest.raises(StepError, match="ask for a version that has a wheel"):
        backend.refuse(tmp_path, "tool", "3.13.1")


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("ModuleNotFoundError: No module named 'pkg_resources'", 'build-constraint-dependencies = ["setuptools<81"]'),
        ("LookupError: setuptools-scm was unable to detect version", "set SETUPTOOLS_SCM_PRETEND_VERSION=VERSION"),
        ("fatal: not a git repository (or any of the parent directories)", "build where its repository and git are"),
        ("ModuleNotFoundError: No module named 'numpy'", "name what it imports in [build-system] requires"),
        ("Traceback", ""),
    ],
)
def test_advice_fits_what_a_backend_says(said, advice):
    assert advice in backend.advice(said)
