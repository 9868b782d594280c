"""Which provider serves: named, automatic (decided once, kept, told), or a runtime given by path or address."""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import json
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from pypack.base import hosts, targets
from pypack.deps import lock_metadata
from pypack.errors import InputError
from pypack.formats.image import list_image
from pypack.runtimes import choose, given_facts, locked_runtime, probe
from pypack.runtimes.base import Request, Runtime
from pypack.steps.step import Settings, Step

_SPEC = importlib.util.spec_from_file_location("pbs_shape", Path(__file__).with_name("test_providers_pbs.py"))
shape = importlib.util.module_from_spec(_SPEC)
sys.modules.setdefault("pbs_shape", shape)
_SPEC.loader.exec_module(shape)

TABLE = targets.load()
GNU, MUSL = TABLE["linux-gnu-x86_64"], TABLE["linux-musl-x86_64"]


class Known:
    """A provider whose answers are set by the test."""

    def __init__(self, name: str, *, unsupported_reason: str = "", reachable: bool = True) -> None:
        self.name, self._refusal, self._reachable, self.asked = name, unsupported_reason, reachable, 0

    def unsupported_reason(self, request: Request) -> str:
        return self._refusal

    def reachable(self, request: Request, settings: Settings) -> bool:
        self.asked += 1
        return self._reachable

    def runtime(self, request: Request) -> Runtime:
        step = Step(product="p", action="a", version=1, run=lambda _: None)
        return Runtime(provider=self.name, version="3.13.5", output_dir="runtime/x", image=step)


@pytest.fixture
def said():
    return []


@pytest.fixture
def record(tmp_path):
    return tmp_path / "build" / "choice.json"


@pytest.fixture(autouse=True)
def forget():
    probe._memory.cache_clear()
    yield
    probe._memory.cache_clear()


@pytest.fixture
def pick(monkeypatch, said, record):
    def pick(*known: Known, wanted: str = "auto", target=GNU, version: str = "", offline: bool = False) -> str:
        monkeypatch.setattr(choose, "providers", lambda _own: {provider.name: provider for provider in known})
        settings = Settings(say=said.append, offline=offline)
        return choose.choose(Request(target=target, version=version), wanted, settings=settings, record=record).provider

    return pick


def test_first_of_the_row_that_serves_is_taken_told_and_recorded(pick, said, record):
    pbs, host = Known("pbs", reachable=False), Known("host")
    assert pick(pbs, host) == "host"
    assert said == ["runtime for linux-gnu-x86_64: CPython 3.13.5 from host; not pbs: cannot be reached"]
    assert json.loads(record.read_text()) == {"linux-gnu-x86_64": "host"}


def test_choice_is_kept_without_asking_again(pick, said, record):
    pbs, host = Known("pbs", reachable=False), Known("host")
    pick(pbs, host)
    assert pick(Known("pbs"), host) == "host"
    assert (pbs.asked, host.asked, len(said)) == (1, 1, 1)
    record.unlink()
    assert pick(Known("pbs"), host) == "pbs"


def test_choice_is_made_for_each_target_and_version(pick, record):
    source = Known("source")
    pick(Known("pbs", reachable=False), Known("host"), source)
    assert pick(Known("pbs"), Known("host"), source, version="3.12") == "pbs"
    assert pick(Known("pbs"), Known("host"), source, target=MUSL) == "source"
    assert json.loads(record.read_text()) == {
        "linux-gnu-x86_64": "host",
        "linux-gnu-x86_64 3.12": "pbs",
        "linux-musl-x86_64": "source",
    }


def test_kept_provider_that_no_longer_serves_is_decided_again(pick):
    pick(Known("pbs", reachable=False), Known("host"))
    assert pick(Known("pbs"), Known("host", unsupported_reason="it is gone")) == "pbs"


@pytest.mark.parametrize("content", ["", "[]", "{", '{"linux-gnu-x86_64": 3}', '{"linux-gnu-x86_64": "none"}'])
def test_damaged_record_is_decided_again(pick, record, content):
    record.parent.mkdir(parents=True)
    record.write_text(content)
    assert pick(Known("pbs")) == "pbs"


def test_none_serves(pick, record, said):
    with pytest.raises(InputError) as caught:
        pick(Known("pbs", reachable=False), Known("host", unsupported_reason="this is Python 3.11"), version="3.13")
    assert caught.value.what.splitlines() == [
        "no provider has CPython 3.13 for linux-gnu-x86_64:",
        "  pbs: cannot be reached",
        "  host: this is Python 3.11",
        "  source: not built yet",
    ]
    assert not record.exists()
    assert said == []


def test_offline_says_so(pick):
    with pytest.raises(InputError, match="pbs: not in the download cache, and the build is offline"):
        pick(Known("pbs", reachable=False), offline=True)


def test_named_provider(pick, said, record):
    assert pick(Known("pbs"), Known("host"), wanted="host") == "host"
    assert said == []
    assert not record.exists()
    with pytest.raises(InputError, match="the runtime host cannot serve linux-gnu-x86_64: because"):
        pick(Known("host", unsupported_reason="because"), wanted="host")


def test_unknown_name(pick):
    with pytest.raises(InputError, match=r"unknown runtime 'hots' \(did you mean host"):
        pick(Known("pbs"), Known("host"), wanted="hots")


def test_the_real_table_has_the_providers_of_this_version():
    assert list(choose.providers()) == ["pbs", "embed", "host", "source"]


def test_user_pins_and_their_faults_reach_the_choice(record, web, monkeypatch):
    data = shape.pbs_archive()
    web.files[f"/{shape.NAME}"] = data
    row = {
        "target": GNU.name,
        "version": "3.13.15",
        "url": f"{web.url}/{shape.NAME}",
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    settings = Settings(say=lambda _: None)
    found = choose.choose(Request(target=GNU), "auto", settings=settings, record=record, user_pins=[row])
    assert (found.provider, found.version, found.pins[0].sha256) == ("pbs", "3.13.15", row["sha256"])
    with pytest.raises(InputError, match="sha256"):
        choose.choose(Request(target=GNU), "pbs", settings=settings, record=record, user_pins=[{**row, "sha256": "1"}])


# --- given by path or address ---


@pytest.fixture
def given(record, monkeypatch, said):
    monkeypatch.setattr(choose, "providers", lambda _own: {})

    def given(where, target=GNU, version: str = "") -> Runtime:
        return choose.choose(
            Request(target=target, version=version), str(where), settings=Settings(say=said.append), record=record
        )

    return given


def paths(runtime: Runtime, folder: Path) -> list[str]:
    return [member.path for member in list_image(shape.make(runtime.image, folder, Settings(say=lambda _: None)))]


@pytest.mark.parametrize("root", ["python/", "", "python/install/"])
def test_archive(given, tmp_path, root):
    file = tmp_path / "own runtime.tar.gz"
    file.write_bytes(shape.pbs_archive(root=root))
    runtime = given(file)
    assert (runtime.provider, runtime.version, runtime.pins) == ("given", "3.13.15", ())
    assert "idlelib" in runtime.missing_modules
    assert "bin/python3.13" in paths(runtime, tmp_path)
    assert runtime.dev is not None


@pytest.mark.parametrize("root", ["python/", ""])
def test_folder(given, tmp_path, root):
    folder = tmp_path / "tree"
    (tmp_path / "a.tar").write_bytes(gzip.decompress(shape.pbs_archive(root=root)))
    with tarfile.open(tmp_path / "a.tar") as tar:
        tar.extractall(folder, filter="data")
    runtime = given(folder)
    assert runtime.version == "3.13.15"
    assert "bin/python3.13" in paths(runtime, tmp_path)
    before = runtime.image.inputs[0].params
    assert given(folder).image.inputs[0].params == before
    (folder / root / "lib/python3.13/os.py").write_text("# changed")
    assert given(folder).image.inputs[0].params != before


def test_version_is_read_from_the_binary_where_headers_are_missing(given, tmp_path):
    data = shape.pbs_archive(
        without=("include/python3.13/patchlevel.h", "include/python3.13/Python.h"),
        **{"lib/libpython3.13.so.1.0": b"x\x003.13.7\x00OpenSSL 3.13.9 x\x003.13.7\x00"},
    )
    (tmp_path / "a.tar.gz").write_bytes(data)
    assert given(tmp_path / "a.tar.gz").version == "3.13.7"


def test_version_that_cannot_be_told(given, tmp_path):
    (tmp_path / "a.tar.gz").write_bytes(shape.pbs_archive(without=("include/python3.13/patchlevel.h",)))
    with pytest.raises(InputError, match="does not tell its version"):
        given(tmp_path / "a.tar.gz")


def test_second_build_does_not_look_inside(given, tmp_path, monkeypatch):
    (tmp_path / "a.tar.gz").write_bytes(shape.pbs_archive())
    first = given(tmp_path / "a.tar.gz")
    monkeypatch.setattr("pypack.runtimes.given_facts._inspect", None)
    assert given(tmp_path / "a.tar.gz").version == first.version


@pytest.mark.parametrize("name", ["linux-gnu-aarch64", "macos-x86_64", "windows-x86_64"])
def test_runtime_of_another_system_is_refused(given, tmp_path, name):
    (tmp_path / "a.tar.gz").write_bytes(shape.pbs_archive())
    with pytest.raises(InputError, match=f"cannot serve {name}: its interpreter is elf for x86_64, not"):
        given(tmp_path / "a.tar.gz", target=TABLE[name])


def test_a_lock_pins_a_runtime_that_was_given_by_its_path(given, record, tmp_path):
    archive = tmp_path / "a.tar.gz"
    archive.write_bytes(shape.pbs_archive())
    pin = lock_metadata.of_runtime(given(archive))
    assert (pin.provider, pin.version, pin.sha256) == ("given", "3.13.15", "")
    how = {"where": "the lock", "settings": Settings(say=lambda _: None), "record": record}
    again = locked_runtime.runtime(Request(target=GNU, version="3.13"), str(archive), pin, **how)
    assert (again.provider, again.version) == ("given", "3.13.15")
    with pytest.raises(InputError, match="which was given by its path or address"):
        locked_runtime.runtime(Request(target=GNU), "auto", pin, **how)
    with pytest.raises(InputError, match=r"and that is not to be had: the runtime .* does not exist"):
        locked_runtime.runtime(Request(target=GNU), str(tmp_path / "gone.tar.gz"), pin, **how)


def test_runtime_of_another_version_is_refused(given, tmp_path):
    (tmp_path / "a.tar.gz").write_bytes(shape.pbs_archive())
    with pytest.raises(InputError, match=r"it holds CPython 3\.13\.15, not 3\.12"):
        given(tmp_path / "a.tar.gz", version="3.12")


@pytest.mark.parametrize(("static", "loader"), [(False, "lib/ld-musl-x86_64.so.1"), (True, "")])
def test_a_shared_one_for_musl_gets_its_loader(given, tmp_path, monkeypatch, static, loader):
    """As PBS's own archive does: otherwise it would start on systems only that have musl."""
    (tmp_path / "a.tar.gz").write_bytes(shape.pbs_archive())
    found = given_facts.find(tmp_path / "a.tar.gz", tmp_path / "memo")
    monkeypatch.setattr(given_facts, "find", lambda *_: replace(found, libc="musl", static=static))
    monkeypatch.setattr(hosts, "system", lambda: "linux")
    runtime = given(tmp_path / "a.tar.gz", target=MUSL)
    assert (runtime.loader, runtime.static, runtime.notes) == (loader, static, ())
    names = [Path(step.product).name for step in runtime.image.inputs]
    assert names == (["runtime.archive.tar"] if static else ["runtime.tar", "loader-1.2.5.tar"])


def test_address_with_its_hash(given, web, tmp_path):
    data = shape.pbs_archive()
    web.files["/r/own.tar.gz"] = data
    runtime = given(f"{web.url}/r/own.tar.gz#sha256={hashlib.sha256(data).hexdigest()}")
    assert runtime.version == "3.13.15"
    assert runtime.pins[0].file == "own.tar.gz"
    assert "bin/python3.13" in paths(runtime, tmp_path)


def test_address_without_a_hash(given, web):
    with pytest.raises(InputError, match="has no hash") as caught:
        given("https://u:s3cret@h/own.tar.gz")
    assert "https://h/own.tar.gz#sha256=" in caught.value.hint
    assert "s3cret" not in str(caught.value)


def test_place_that_does_not_exist_or_holds_no_python(given, tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        given(tmp_path / "none.tar.gz")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no Python"):
        given(tmp_path / "empty")


@pytest.mark.parametrize(
    ("wanted", "is_path_or_url"),
    [("pbs", False), ("./pbs", True), ("a.tar.gz", True), (r"C:\r", True), ("https://h/a", True), ("r.zip", True)],
)
def test_is_path_or_url(wanted, is_path_or_url, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert choose.is_path_or_url(wanted) is is_path_or_url
    (tmp_path / "pbs").mkdir()
    assert choose.is_path_or_url("pbs")


def row(tmp_path, version, *, there=True):
    archive = tmp_path / f"cpython-{version}.tar.gz"
    if there:
        archive.write_bytes(version.encode())
    digest = hashlib.sha256(version.encode()).hexdigest()
    return {"target": GNU.name, "version": version, "url": str(archive), "sha256": digest}


def test_an_own_pin_that_fits_stands_in_for_an_archive_that_cannot_be_had(tmp_path, said, record, monkeypatch):
    monkeypatch.setattr(probe, "any_answers", lambda addresses: False)
    rows = [row(tmp_path, "3.12.1"), row(tmp_path, "3.13.0"), row(tmp_path, "3.13.2", there=False)]
    settings = Settings(say=said.append)
    for _ in range(2):  # the second time the record decides
        request = Request(target=GNU, version="3.13")
        runtime = choose.choose(request, "auto", settings=settings, record=record, user_pins=rows)
        assert (runtime.provider, runtime.version) == ("pbs", "3.13.0")
    (line,) = said
    assert line.startswith("runtime for linux-gnu-x86_64: CPython 3.13.0 from pbs, by your own pin; not 3.13.")


def test_the_error_lists_the_versions_that_can_be_had(tmp_path, said, record, monkeypatch):
    monkeypatch.setattr(probe, "any_answers", lambda addresses: False)
    request = Request(target=GNU, python_range=">=3.99")
    with pytest.raises(InputError) as caught:
        choose.choose(
            request, "auto", settings=Settings(say=said.append), record=record, user_pins=[row(tmp_path, "3.12.1")]
        )
    assert "no provider has CPython >=3.99 for linux-gnu-x86_64:" in caught.value.what
    assert "to be had for linux-gnu-x86_64: 3.12.1 (pbs)" in caught.value.what
    assert caught.value.hint.startswith("ask for one of these with --python, or set PYPACK_MIRROR")


def test_a_range_chooses_the_version_and_is_named(tmp_path, said, record):
    rows = [row(tmp_path, "3.12.1"), row(tmp_path, "3.11.9"), row(tmp_path, "3.13.2")]
    request = Request(target=GNU, python_range=">=3.11,<3.12.5")
    runtime = choose.choose(
        request, "auto", settings=Settings(say=said.append), record=record, user_pins=rows,
        decided_by="requires-python",
    )  # fmt: skip
    assert runtime.version == "3.12.1"
    assert said == ["runtime for linux-gnu-x86_64: CPython 3.12.1 from pbs by requires-python"]


def test_the_hosts_own_python_is_asked_first_where_it_is_preferred(pick, monkeypatch, said, record):
    known = {provider.name: provider for provider in (Known("pbs"), Known("host"))}
    monkeypatch.setattr(choose, "providers", lambda _own: known)
    request = Request(target=GNU, prefer_host=True)
    assert choose.choose(request, "auto", settings=Settings(say=said.append), record=record).provider == "host"
