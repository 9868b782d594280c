"""Commits of git repositories become archives with a hash, and what is said of those that cannot be fetched."""

from __future__ import annotations

import subprocess
import tomllib

import pytest

from pypack.base import folders
from pypack.deps.build import sdist_fallback, source
from pypack.download import fetch, git
from pypack.download.web import DownloadError
from pypack.errors import FetchError
from pypack.formats import image
from pypack.steps.step import Settings


def run(folder, *arguments):
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-c", "protocol.file.allow=always", *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(autouse=True)
def caches(tmp_path, monkeypatch):
    monkeypatch.setenv("PYPACK_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    (tmp_path / "gitconfig").write_text('[protocol "file"]\n\tallow = always\n[core]\n\tautocrlf = true\n')


@pytest.fixture
def repository(tmp_path):
    """Return the folder of a repository with one commit."""
    folder = tmp_path / "repository"
    (folder / "pkg").mkdir(parents=True)
    (folder / "pkg" / "pyproject.toml").write_text('[project]\nname = "pkg"\nversion = "1"\n')
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    run(folder, "init", "-q", ".")
    run(folder, "add", "-A")
    run(folder, "commit", "-qm", "x")
    return folder


def lock_of(repository):
    commit = run(repository, "rev-parse", "HEAD")
    return f"""lock-version = "1.0"

[[packages]]
name = "pkg"
version = "1"
vcs = {{ type = "git", url = "{repository.as_uri()}", commit-id = "{commit}", subdirectory = "pkg" }}

[[packages]]
name = "other"
version = "1"
wheels = [{{ url = "https://x.invalid/other-1-py3-none-any.whl", hashes = {{ sha256 = "0" }} }}]
"""


def test_a_commit_is_locked_by_the_hash_of_its_files(repository, tmp_path):
    text = sdist_fallback.describe(lock_of(repository), tmp_path, Settings())
    package, other = tomllib.loads(text)["packages"]
    found = source.of_package(package, tmp_path, None)
    assert (found.native, found.inside, found.is_commit, found.digest) == (False, "pkg", True, found.pin.sha256)
    assert "tool" not in other
    archive = fetch.fetch(found.pin, settings=Settings(offline=True))
    head = found.pin.file.removeprefix("pkg-").removesuffix(".tar")
    files = {member.path: member.executable for member in image.list_image(archive) if member.kind == "file"}
    assert files == {f"{head}/pkg/pyproject.toml": False, f"{head}/run.sh": True}
    # another machine: fetched again, from the commit, with the same bytes
    archive.unlink()
    assert fetch.fetch(found.pin, settings=Settings()).is_file()
    assert sdist_fallback.describe(lock_of(repository), tmp_path, Settings(offline=True)) == text


def test_a_plain_web_server_and_submodules_serve(repository, tmp_path, monkeypatch):
    (repository / "inner").mkdir()
    run(repository, "submodule", "add", "-q", repository.as_uri(), "sub")
    run(repository, "commit", "-qm", "sub")
    commit = run(repository, "rev-parse", "HEAD")
    asked = []
    real = git._git

    def simple_server(tree, variables, *arguments):
        asked.append(arguments[0])
        if "--depth=1" in arguments:
            raise DownloadError("dumb http transport does not support shallow capabilities")
        real(tree, variables, *arguments)

    monkeypatch.setattr(git, "_git", simple_server)
    git.write_archive(f"git+{repository.as_uri()}@{commit}", tmp_path / "a.tar")
    names = [member.path for member in image.list_image(tmp_path / "a.tar")]
    assert f"{commit[:12]}/sub/pkg/pyproject.toml" in names
    assert not [name for name in names if ".git/" in name or name.endswith("/.git")]
    assert asked.count("fetch") == 2


def test_what_cannot_be_fetched_is_one_error(repository, tmp_path):
    missing = lock_of(repository).replace(run(repository, "rev-parse", "HEAD"), "0" * 40)
    with pytest.raises(FetchError, match=r"commit 000000000000 of .* -> the repository has no such branch, tag or"):
        sdist_fallback.describe(missing, tmp_path, Settings())
    with pytest.raises(DownloadError, match="names no commit"):
        git.write_archive(f"git+{repository.as_uri()}@--upload-pack=x", tmp_path / "a.tar")
    remote = lock_of(repository).replace(repository.as_uri(), "https://user:secret@x.invalid/y")
    with pytest.raises(FetchError, match=r"offline, and commit \w+ of https://x.invalid/y is not") as caught:
        sdist_fallback.describe(remote, tmp_path, Settings(offline=True))
    assert "secret" not in str(caught.value)
    assert not (folders.downloads() / "git").exists()


def test_a_login_goes_to_git_by_its_environment_only():
    variables = git._login_variables("https://x.invalid/a/b", ("me", "p@ss"))
    assert variables["GIT_CONFIG_KEY_0"] == "url.https://me:p%40ss@x.invalid/.insteadOf"
    assert variables["GIT_CONFIG_VALUE_0"] == "https://x.invalid/"
    assert git._login_variables("ssh://git@x.invalid/a", ("me", "p")) == {}


@pytest.mark.parametrize(
    ("output", "told"),
    [
        ("fatal: could not read Username for 'https://x': terminal prompts disabled", "asks for a key or a login"),
        ("git@x: Permission denied (publickey).\nfatal: Could not read from remote repository.", "ssh-agent"),
        ("fatal: unable to access 'https://u:p@x/': Could not resolve host: x", "cannot be reached"),
        ("fatal: couldn't find remote ref refs/tags/v9", "no such branch, tag or commit"),
        ("fatal: repository 'https://x/y/' not found", "there is no such repository"),
    ],
)
def test_reasons_of_git(output, told):
    assert told in git.explain(output)
    assert "u:p" not in git.explain(output)


def test_other_version_control_is_refused(tmp_path):
    row = {"name": "a", "vcs": {"type": "hg", "url": "https://x", "commit-id": "1"}}
    with pytest.raises(Exception, match="only git is read"):
        source.of_package(row, tmp_path, None)
