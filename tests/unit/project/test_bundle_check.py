"""What a bundle must have: the packages, commands and files of its metadata, else the modules that it imports."""

from __future__ import annotations

import json
import zipfile

import pytest

from pypack.base import targets
from pypack.deps import markers
from pypack.errors import StepError
from pypack.formats.image import ImageBuilder
from pypack.project import bundle_check, program
from pypack.steps.step import Context, Settings

MARKERS = markers.environment(targets.load()["linux-gnu-x86_64"], "3.13.5")
METADATA = "Metadata-Version: 2.1\nName: tool\nVersion: 1\n"


@pytest.fixture
def check(tmp_path):
    """Write the sources of an app, check it with ``deps`` in the bundle, and return the warnings."""

    def check(texts, *, deps=None, wheel=(), modules=(), site=False, **params):
        folder = tmp_path / "app"
        for name, text in texts.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        with ImageBuilder("app") as builder:
            for name in texts:
                builder.add_file(f"app/{name}", folder / name)
            builder.write(tmp_path / "app.tar")
        inputs = {"app": tmp_path / "app.tar"}
        if wheel:
            inputs["wheel"] = tmp_path / "tool-1-py3-none-any.whl"
            with zipfile.ZipFile(inputs["wheel"], "w") as packed:
                for name in wheel:
                    packed.writestr(name, "")
        facts = {"distributions": list(deps or ()), "modules": list(modules), "site": site}
        (tmp_path / "deps.json").write_text(json.dumps(facts))
        inputs["deps"] = tmp_path / "deps.json"
        scan = not wheel
        project = program.load(folder, entry="main.py") if scan else None
        entry = {"kind": "script", "name": "main.py", "function": "", "scripts": []}
        usual = {
            "roles": list(inputs), "name": "tool", "requires": [], "extras": [], "markers": MARKERS, "exclude": [],
            "origin": "requirements.txt", "entry": entry, "commands": [], "scan": scan, "files": "", "minor": "",
            "python": "", "lenient": False,
        }  # fmt: skip
        context = Context(
            product=tmp_path / "check.json", inputs=tuple(inputs.values()), params={**usual, **params},
            settings=Settings(), unhashed={"project": project}, memory=tmp_path / "memory",
        )  # fmt: skip
        bundle_check.run_check(context)
        return json.loads(context.product.read_text())["warnings"]

    return check


def fault(check, *arguments, **keywords):
    with pytest.raises(StepError) as caught:
        check(*arguments, **keywords)
    return caught.value


REQUIRES = ["click>=8", "idna ; sys_platform == 'win32'", "yaml ; extra == 'y'", "tool[y] ; extra == 'all'"]


@pytest.mark.parametrize(
    ("deps", "extras", "missing"),
    [
        ([], [], ["click>=8 is missing"]),
        (["click-7.0"], [], ["click 7.0 is there, and click>=8 is asked for"]),
        (["Click-8.1"], [], []),
        (["click-8.1"], ["y"], ['yaml; extra == "y" is missing']),
        (["click-8.1"], ["all"], ['yaml; extra == "y" is missing']),
        (["click-9.0rc1", "yaml-1"], ["all"], []),
    ],
)
@pytest.mark.parametrize("kind", ["manifest", "wheel"])
def test_what_the_metadata_asks_for_is_there(check, deps, extras, missing, kind):
    texts, keywords = {"main.py": ""}, {"deps": deps, "extras": extras}
    if kind == "wheel":
        lines = "".join(f"Requires-Dist: {line}\n" for line in REQUIRES)
        texts["tool-1.dist-info/METADATA"] = METADATA + lines
        keywords["wheel"] = ["main.py"]
    else:
        keywords["requires"] = REQUIRES
    if not missing:
        assert check(texts, **keywords) == []
        return
    error = fault(check, texts, **keywords)
    assert error.what == "the metadata of tool asks for packages that the bundle does not have:" + "".join(
        f"\n  {line}" for line in missing
    )
    assert error.hint.startswith("packages are named by requirements.txt: name them there too")


def test_a_package_that_is_left_out_on_purpose_is_not_missed(check):
    assert check({"main.py": ""}, requires=["click"], exclude=["click"]) == []


def test_files_and_commands_of_the_wheel_are_named(check):
    points = "[console_scripts]\ntool = main:run\nmore = main:more\n"
    texts = {"main.py": "", "tool-1.dist-info/METADATA": METADATA, "tool-1.dist-info/entry_points.txt": points}
    names = ["main.py", "tool-1.data/data/share/x.txt", "tool-1.data/headers/x.h", "tool-1.dist-info/RECORD", "lost.py"]
    assert check(texts, wheel=names, commands=["tool"]) == [
        "the program's wheel has files that the bundle does not: tool-1.data/data/share/x.txt, lost.py",
        "the program's wheel declares commands that the bundle does not start: more (--entry NAME)",
    ]


@pytest.mark.parametrize(
    ("point", "message"),
    [("main:f", ""), ("json:dumps", ""), ("click.core:f", ""),
     ("main.x:f", "entry point main.x: main has no such module"),
     ("nowhere:f", "entry point nowhere: nothing in the bundle provides nowhere")],
)  # fmt: skip
def test_the_module_of_a_command_is_there(check, point, message):
    entry = {"kind": "scripts", "name": "", "function": "", "scripts": [["tool", point]]}
    keywords = {"entry": entry, "modules": ["click"], "scan": False}
    if message:
        assert fault(check, {"main.py": ""}, **keywords).what == message
        assert check({"main.py": ""}, **{**keywords, "site": True}) == []
    else:
        assert check({"main.py": ""}, **keywords) == []


def test_a_program_that_cannot_be_imported_is_refused_with_the_line(check):
    error = fault(check, {"main.py": "import os\nimport helper\n", "helper.py": "\nimport requests.api, click\n"},
                  modules=["click"])  # fmt: skip
    assert error.what == (
        "the program cannot start without modules that nothing in the bundle provides:\n"
        "  helper.py:2 imports requests.api"
    )
    assert error.hint.startswith("name the packages that provide requests in requirements.txt, or with -r FILE")


@pytest.mark.parametrize(
    ("texts", "warnings"),
    [
        ({"main.py": "def f():\n  import yaml\n"}, ["main.py:2 imports yaml"]),
        ({"main.py": "", "plugin.py": "import yaml\n"}, ["plugin.py:1 imports yaml"]),
        ({"main.py": "", "tests/x.py": "import pytest\n", "test_y.py": "import pytest", "noxfile.py": "import z"}, []),
        ({"main.py": "try:\n  import yaml\nexcept ImportError:\n  yaml = None\n"}, []),
        ({"main.py": "try:\n  import json\nexcept ImportError:\n  import simplejson\n"}, []),
        ({"main.py": "try:\n  import one\nexcept ImportError:\n  import two\n"}, ["main.py:4 imports two"]),
        ({"main.py": "import pkg.mod, space.inner\n", "pkg/mod.py": "from . import other\n", "space/inner.py": ""}, []),
        ({"main.py": "import sys\nsys.path.append('lib')\nimport own\n", "lib/own.py": ""}, ["main.py:3 imports own"]),
        ({"main.py": "", "template.py": "import {{ x }}"}, []),
    ],
)  # fmt: skip
def test_what_may_be_absent_is_named_or_not(check, texts, warnings):
    assert check(texts) == [f"{line}, and nothing in the bundle provides it" for line in warnings]


def test_where_modules_may_come_from_elsewhere_nothing_is_refused(check):
    line = "main.py:1 imports own, and nothing in the bundle provides it"
    assert check({"main.py": "import own\n"}, lenient=True) == [line]
    assert check({"main.py": "import own\n"}, site=True) == [line]
