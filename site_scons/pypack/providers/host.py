"""Provider ``host``: the interpreter that runs the build, with every library that it needs but glibc's own."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pypack import hosts
from pypack.errors import StepError
from pypack.pipeline import Step
from pypack.providers import host_headers, host_interpreter, host_libraries, host_tree, tree
from pypack.providers.base import Runtime
from pypack.targets import Layout

if TYPE_CHECKING:
    from pypack.images.image import ImageBuilder
    from pypack.pipeline import Context, Settings
    from pypack.providers.base import Request
    from pypack.providers.host_interpreter import Interpreter

_SEE = "docs/host-runtime.md"

_CHECK = """
import importlib, json, sys, sysconfig
faults = {}
for name in json.loads(sys.argv[1]):
    try:
        importlib.import_module(name)
    except Exception as e:
        faults[name] = f"{type(e).__name__}: {e}"
loaded = {line.split(maxsplit=5)[5].strip() for line in open("/proc/self/maps") if ".so" in line}
print(json.dumps({"loaded": sorted(loaded), "prefix": sys.prefix, "base": sys.base_exec_prefix, "faults": faults}))
"""
_CHECK_SITE = """
import json, os, site, sys, sysconfig
packages = site.getsitepackages()
print(json.dumps([sys.path + packages, [os.path.realpath(path) for path in packages], sysconfig.get_path("purelib")]))
"""
_TCL = "import tkinter; print(tkinter.Tcl().eval('info library'))"


class HostProvider:
    """The running CPython made relocatable; for the host's own target, and on Linux with glibc only."""

    name = "host"

    def refusal(self, request: Request) -> str:
        """Return why the running interpreter cannot serve ``request``, in one clause, or ``""``."""
        if hosts.system() != "linux":
            return f"copying the host's own Python is not yet done on {hosts.system()}"
        if hosts.libc() != "gnu":
            return (
                "copying the host's own Python is done with glibc only, and this machine's Python is linked with musl"
            )
        if request.target.name != hosts.target_name():
            return f"this machine's own Python runs on {hosts.target_name()}, not on {request.target.name}"
        here = host_interpreter.running()
        if not request.accepts(here.version):
            return f"the build runs on Python {here.version}, not on {request.version}"
        return host_interpreter.refusal()

    def reachable(self, request: Request, settings: Settings) -> bool:
        """Say yes: it is here."""
        del request, settings
        return True

    def runtime(self, request: Request) -> Runtime:
        """Describe the step that copies the interpreter, and what is known of its limits before it has run."""
        here = host_interpreter.running()
        folders = host_libraries.search_folders(here.multiarch)
        place = f"runtime/{request.target.name}/host-{here.version}"
        fingerprint = host_interpreter.fingerprint(here, folders)
        step = Step(
            product=f"{place}/runtime.tar",
            action="host",
            version=1,
            run=make,
            params={
                "version": here.version,
                "fingerprint": fingerprint,
                "layout": vars(request.target.layout.at(here.minor)),
                "patchelf": host_tree.patchelf_version(),
            },
        )
        return Runtime(
            provider=self.name, version=here.version, place=place, image=step,
            dev=host_headers.step(here, place, fingerprint), notes=_notes(here), lacks=tree.lacks(),
        )  # fmt: skip


def make(context: Context) -> None:
    """Write the image of the running interpreter; start it once from a strange folder before it is handed on."""
    from pypack.images.image import ImageBuilder

    here, layout = host_interpreter.running(), Layout(**context.params["layout"])
    if here.version != context.params["version"]:
        raise StepError(
            f"the step was planned by Python {context.params['version']} and is run by {here.version}",
            do="run the build again",
        )
    libraries = host_libraries.Libraries(here.python, host_libraries.search_folders(here.multiarch))
    parts = host_tree.plan(here, layout, libraries)
    folder = context.product.parent
    with ImageBuilder("host", folder=folder) as builder, tempfile.TemporaryDirectory(dir=folder) as work:
        host_tree.fill(builder, here, layout, parts, work=Path(work), run=context.run)
        if any(Path(native.path).name.startswith("_tkinter.") for native in parts.natives):
            _add_tcl(context, builder, here, layout)
        builder.write(context.product)
    for line in parts.dropped:
        context.say(f"  note: {line}")
    inside = f"{layout.stdlib}/lib-dynload/"
    _check(context, layout, [_module(native.path) for native in parts.natives if native.path.startswith(inside)])
    _say_floor(context)


def _say_floor(context: Context) -> None:
    from pypack.binaries import glibc_floor

    floor = glibc_floor([context.product])
    if floor:
        needed = ".".join(map(str, floor.version))
        context.say(
            f"  warning: this machine's own Python needs glibc {needed} or newer ({floor.path} asks for it):"
            " it will not start on older systems; runtime=pbs goes back to glibc 2.17"
        )


def _notes(here: Interpreter) -> tuple[str, ...]:
    glibc = hosts.glibc() or (0, 0)
    notes = [
        f"the runtime is this machine's own Python {here.version}: it may not start where glibc is older than here"
        f" ({glibc[0]}.{glibc[1]}); the build tells the exact need. runtime=pbs goes back to 2.17"
    ]
    absent = host_interpreter.lacking()
    if absent:
        notes.append(f"this machine's own Python lacks {', '.join(absent)}, and so will the bundle")
    return tuple(notes)


def _module(path: str) -> str:
    return Path(path).name.split(".")[0]


def _add_tcl(context: Context, builder: ImageBuilder, here: Interpreter, layout: Layout) -> None:
    try:
        library = Path(context.run([here.python, "-I", "-S", "-c", _TCL]).strip())
    except StepError as e:
        context.say(f"  note: tkinter will not work: {e.what.splitlines()[-1].strip()}")
        return
    if library.is_dir():  # else the scripts are inside the library itself
        host_tree.add_tcl(builder, layout, library)


def _check(context: Context, layout: Layout, modules: list[str]) -> None:
    """Start the copy in a folder that it has never seen, and import every extension module."""
    from pypack.binaries import is_glibc
    from pypack.images.image import unpacked

    with unpacked(context.product) as folder:
        tree = folder.resolve()
        words: list[str | Path] = [tree / layout.python, "-I", "-B", "-S", "-c", _CHECK, json.dumps(modules)]
        told = json.loads(context.run(words, env={}).splitlines()[-1])
        if not told["prefix"] == told["base"] == str(tree):
            raise StepError(
                f"this machine's own Python cannot be moved: its copy takes {told['prefix']} for its home",
                do="choose another runtime with runtime=…",
                see=_SEE,
            )
        for name, why in told["faults"].items():
            context.say(f"  warning: the copy cannot import {name}: {why}")
        for path in map(Path, told["loaded"]):
            if not path.is_relative_to(tree) and not is_glibc(path.name):
                context.say(f"  warning: the copy still takes {path} from this machine")
        words = [tree / layout.python, "-I", "-B", "-c", _CHECK_SITE]
        _check_site(context, tree, str(tree / layout.site_packages), json.loads(context.run(words, env={})))


def _check_site(context: Context, tree: Path, wanted: str, told: tuple[list[str], list[str], str]) -> None:
    paths, packages, purelib = told
    if wanted not in packages or wanted != purelib:
        context.say(
            f"  warning: the copy looks for packages in {', '.join({*packages, purelib})}, not in site-packages"
        )
    outside = [path for path in paths if not Path(path).is_relative_to(tree)]
    if outside:
        context.say(f"  warning: the copy still looks at {', '.join(outside)}")
