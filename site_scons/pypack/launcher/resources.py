"""Resources of a program for Windows: icon, version information and manifest -> one .res file, by ``zig rc``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pypack.errors import InputError
from pypack.launcher import icon
from pypack.steps import zig
from pypack.steps.step import Step

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pypack.base.targets import Target
    from pypack.project.program import Project
    from pypack.steps.step import Context

LONGEST = 1000
"""Characters in one text of the version information; Explorer shows about a hundred."""

# What python.exe says of itself (CPython's PC/python.manifest), but for Windows Vista. Neither dpiAware nor
# activeCodePage: the program that runs in this process decides, as it does in python.exe.
MANIFEST = """\
<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<assembly xmlns="urn:schemas-microsoft-com:asm.v1" manifestVersion="1.0">
  <trustInfo xmlns="urn:schemas-microsoft-com:asm.v3">
    <security>
      <requestedPrivileges>
        <requestedExecutionLevel level="asInvoker" uiAccess="false"/>
      </requestedPrivileges>
    </security>
  </trustInfo>
  <compatibility xmlns="urn:schemas-microsoft-com:compatibility.v1">
    <application>
      <supportedOS Id="{35138b9a-5d96-4fbd-8e2d-a2440225f93a}"/>
      <supportedOS Id="{4a2f28e3-53b9-4441-ba9c-d69d4a4a6e38}"/>
      <supportedOS Id="{1f676c76-80e1-4239-95bb-83d0f6d0da78}"/>
      <supportedOS Id="{8e0f7a12-bfb3-4fe8-b9a5-48fd50a15a9a}"/>
    </application>
  </compatibility>
  <application xmlns="urn:schemas-microsoft-com:asm.v3">
    <windowsSettings>
      <longPathAware xmlns="http://schemas.microsoft.com/SMI/2016/WindowsSettings">true</longPathAware>
    </windowsSettings>
  </application>
  <dependency>
    <dependentAssembly>
      <assemblyIdentity type="win32" name="Microsoft.Windows.Common-Controls" version="6.0.0.0"
                        processorArchitecture="*" publicKeyToken="6595b64144ccf1df" language="*"/>
    </dependentAssembly>
  </dependency>
</assembly>
"""
"""Windows 7, 8, 8.1, 10 and 11; the rights of the caller; paths beyond 260 characters; the newer controls."""

_SCRIPT = """\
1 24 "app.manifest"
{icon}1 VERSIONINFO
FILEVERSION {numbers}
PRODUCTVERSION {numbers}
FILEFLAGSMASK 0x3F
FILEFLAGS {flags}
FILEOS 0x40004
FILETYPE 0x1
FILESUBTYPE 0x0
BEGIN
  BLOCK "StringFileInfo"
  BEGIN
    BLOCK "040904B0"
    BEGIN
{texts}
    END
  END
  BLOCK "VarFileInfo"
  BEGIN
    VALUE "Translation", 0x409, 1200
  END
END
"""
_ICON = '1 ICON "app.ico"\n'  # the first icon is the one that Explorer shows
_PRERELEASE = "0x2"
_UTF8 = "65001"


def step(project: Project, target: Target) -> Step | None:
    """Return the step that makes the resources of ``project``'s launcher, or None where the target has none.

    Its product is a .res file, the same for every processor. Raises :class:`InputError` for a text that is too long
    and for an icon that is none.
    """
    if target.container != "pe":
        return None
    if project.icon:
        icon.read(project.icon)
    return Step(
        product=f"apps/{project.name}/windows.res",
        action="resources",
        version=1,
        run=run_resources,
        inputs=(project.icon,) if project.icon else (),
        params={"zig": zig.version(), "texts": texts(project, target), "version": project.version},
    )


def texts(project: Project, target: Target) -> dict[str, str]:
    """Return the strings of the version information, by Windows' names for them; empty ones are left out."""
    strings = {
        "CompanyName": project.company,
        "FileDescription": project.description or project.name,
        "FileVersion": project.version,
        "InternalName": project.name,
        "LegalCopyright": project.copyright,
        "OriginalFilename": f"{project.name}{target.suffix}",
        "ProductName": project.name,
        "ProductVersion": project.version,
    }
    long = [name for name, text in strings.items() if len(text) > LONGEST]
    if long:
        raise InputError(
            f"{' and '.join(long)} of the program for Windows has more than {LONGEST} characters",
            hint="set description, company and copyright in [tool.pypack] to shorter texts",
            docs="docs/windows.md",
        )
    return {name: text for name, text in strings.items() if text}


def numbers(version: str) -> tuple[int, int, int, int]:
    """Return a version as the four numbers of 16 bits that Windows has: ``1.2rc1`` -> ``(1, 2, 0, 0)``."""
    release = re.match(r"\D*(?:\d+!)?(\d+(?:\.\d+)*)", version)
    parts = [min(int(part), 0xFFFF) for part in release[1].split(".")[:4]] if release else []
    first, second, third, fourth = (*parts, 0, 0, 0, 0)[:4]
    return first, second, third, fourth


def script(params: Mapping[str, Any], *, has_icon: bool) -> str:
    """Return the resource script (.rc)."""
    rows = [f'      VALUE "{name}", {_quoted(text)}' for name, text in params["texts"].items()]
    return _SCRIPT.format(
        icon=_ICON if has_icon else "",
        numbers=",".join(map(str, numbers(params["version"]))),
        flags=_PRERELEASE if re.search(r"(a|b|rc|dev)\d", params["version"]) else "0x0",
        texts="\n".join(rows),
    )


def run_resources(context: Context) -> None:
    """Step: the icon, where there is one, and the texts -> a .res file. Params: ``texts``, ``version``."""
    with zig.workshop("") as tool:
        for path in context.inputs[:1]:
            (tool.work / "app.ico").write_bytes(icon.read(path))
        (tool.work / "app.manifest").write_text(MANIFEST, encoding="utf-8", newline="\n")
        text = script(context.params, has_icon=bool(context.inputs))
        (tool.work / "app.rc").write_text(text, encoding="utf-8", newline="\n")
        # without a preprocessor and include folders, no file of this machine is included
        options = ["/:no-preprocess", "/:auto-includes", "none", "/x", "/c", _UTF8, "/fo", "app.res"]
        with context.timed("resources for Windows"):  # zig compiles its resource compiler when it is first called
            tool.run(context, ["rc", *options, "app.rc"])
        context.product.write_bytes((tool.work / "app.res").read_bytes())


def _quoted(text: str) -> str:
    """Return a string literal of a resource script. Control characters become spaces."""
    plain = "".join(char if char.isprintable() else " " for char in text)
    return 'L"{}"'.format(plain.replace("\\", "\\\\").replace('"', '""'))
