"""Provider ``host``: the interpreter that runs the build, with all libraries that it needs except glibc's."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pypack.base import hosts
from pypack.base.notes import Note
from pypack.base.targets import Layout
from pypack.errors import StepError
from pypack.runtimes import host_fingerprint, host_headers, host_interpreter, host_libraries, host_tree, tree
from pypack.runtimes.base import Runtime
from pypack.steps.step import Step

if TYPE_CHECKING:
    from pypack.formats.image import ImageBuilder
    from pypack.runtimes.base import Request
    from pypack.runtimes.host_interpreter import Interpreter
    from pypack.steps.step import Context, Settings

_DOCS = "docs/host-runtime.md"

_CHECK_SCRIPT = """
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
_CHECK_SITE_SCRIPT = """
import json, os, site, sys, sysconfig
packages = site.getsitepackages()
print(json.dumps([sys.path + packages, [os.path.realpath(path) for path in packages], sysconfig.get_path("purelib")]))
"""
_TCL_SCRIPT = "import tkinter; print(tkinter.Tcl().eval('info library'))"


class HostProvider:
    """The running CPython made relocatable; only for the host's own target, on Linux with glibc."""

    name = "host"

    def unsupported_reason(self, request: Request) -> str:
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
            return f"the build runs on Python {here.version}, not on {request.wanted}"
        return host_interpreter.unsupported_reason()

    def reachable(self, request: Request, settings: Settings) -> bool:
        """Return True: the interpreter is on this machine."""
        del request, settings
        return True

    def runtime(self, request: Request) -> Runtime:
        """Return the runtime with the step that copies the interpreter, and notes on its limits."""
        interpreter = host_interpreter.running()
        output_dir = f"runtime/{request.target.name}/host-{interpreter.version}"
        fingerprint, glibc = host_fingerprint.survey(interpreter)
        step = Step(
            product=f"{output_dir}/runtime.tar",
            action="host",
            version=1,
            run=make,
            params={
                "version": interpreter.version,
                "fingerprint": fingerprint,
                "layout": vars(request.target.layout.at(interpreter.minor)),
                "patchelf": host_tree.patchelf_version(),
            },
        )
        return Runtime(
            provider=self.name, version=interpreter.version, output_dir=output_dir, image=step,
            dev=host_headers.step(interpreter, output_dir, fingerprint), notes=_notes(interpreter),
            missing_modules=tree.missing_modules(), floor=glibc,
        )  # fmt: skip


def make(context: Context) -> None:
    """Step: write the image of the running interpreter, and test it by starting it from another folder."""
    from pypack.formats.image import ImageBuilder

    interpreter, layout = host_interpreter.running(), Layout(**context.params["layout"])
    if interpreter.version != context.params["version"]:
        raise StepError(
            f"the step was planned by Python {context.params['version']} and is run by {interpreter.version}",
            hint="run the build again",
            docs=_DOCS,
        )
    libraries = host_libraries.Libraries(interpreter.python, host_libraries.search_folders(interpreter.multiarch))
    parts = host_tree.plan(interpreter, layout, libraries)
    folder = context.product.parent
    with ImageBuilder("host", folder=folder) as builder, tempfile.TemporaryDirectory(dir=folder) as work:
        host_tree.fill(builder, interpreter, layout, parts, work=Path(work), run=context.run)
        if any(Path(native.path).name.startswith("_tkinter.") for native in parts.natives):
            _add_tcl(context, builder, interpreter, layout)
        builder.write(context.product)
    for line in parts.dropped:
        context.say(Note("host-modules", line))
    inside = f"{layout.stdlib}/lib-dynload/"
    _check_copy(
        context, layout, [_module_name(native.path) for native in parts.natives if native.path.startswith(inside)]
    )


def _notes(interpreter: Interpreter) -> tuple[Note, ...]:
    glibc = hosts.glibc() or (0, 0)
    text = (
        f"the runtime is this machine's own Python {interpreter.version}: it may not start where glibc is older"
        f" than here ({glibc[0]}.{glibc[1]}); the result says what exactly it needs. --runtime pbs goes back to 2.17"
    )
    notes = [Note("host-glibc", text)]
    missing_modules = host_interpreter.lacking()
    if missing_modules:
        text = f"this machine's own Python lacks {', '.join(missing_modules)}, and so will the bundle"
        notes.append(Note("host-modules", text))
    return tuple(notes)


def _module_name(path: str) -> str:
    return Path(path).name.split(".")[0]


def _add_tcl(context: Context, builder: ImageBuilder, interpreter: Interpreter, layout: Layout) -> None:
    try:
        library = Path(context.run([interpreter.python, "-I", "-S", "-c", _TCL_SCRIPT]).strip())
    except StepError as e:
        context.say(Note("host-copy", f"tkinter will not work: {e.what.splitlines()[-1].strip()}"))
        return
    if library.is_dir():  # else the scripts are inside the library itself
        host_tree.add_tcl(builder, layout, library)


def _check_copy(context: Context, layout: Layout, modules: list[str]) -> None:
    """Start the copy in a new folder, and import every extension module."""
    from pypack.formats.binaries import is_glibc
    from pypack.formats.image import unpacked

    with unpacked(context.product) as folder:
        tree = folder.resolve()
        command: list[str | Path] = [tree / layout.python, "-I", "-B", "-S", "-c", _CHECK_SCRIPT, json.dumps(modules)]
        report = json.loads(context.run(command, env={}).splitlines()[-1])
        if not report["prefix"] == report["base"] == str(tree):
            raise StepError(
                f"this machine's own Python cannot be moved: its copy takes {report['prefix']} for its home",
                hint="choose another runtime with runtime=…",
                docs=_DOCS,
            )
        for name, error in report["faults"].items():
            context.say(Note("host-copy", f"the copy cannot import {name}: {error}"))
        for path in map(Path, report["loaded"]):
            if not path.is_relative_to(tree) and not is_glibc(path.name):
                context.say(Note("host-copy", f"the copy still takes {path} from this machine"))
        command = [tree / layout.python, "-I", "-B", "-c", _CHECK_SITE_SCRIPT]
        _check_site_packages(context, tree, str(tree / layout.site_packages), json.loads(context.run(command, env={})))


def _check_site_packages(
    context: Context, tree: Path, site_packages: str, site_paths: tuple[list[str], list[str], str]
) -> None:
    paths, packages, purelib = site_paths
    if site_packages not in packages or site_packages != purelib:
        text = f"the copy looks for packages in {', '.join({*packages, purelib})}, not in site-packages"
        context.say(Note("host-copy", text))
    outside = [path for path in paths if not Path(path).is_relative_to(tree)]
    if outside:
        context.say(Note("host-copy", f"the copy still looks at {', '.join(outside)}"))
