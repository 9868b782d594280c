# Imported at the start of each interpreter of a build whose product is for another machine: scripts that ask which
# machine this is get the target's name, and those that ask what extension modules are called its suffixes.
import os
import sys

machine = os.environ.get("PYPACK_TARGET_MACHINE")
suffix = os.environ.get("PYPACK_TARGET_SUFFIX")

if machine and hasattr(os, "uname"):
    real = os.uname

    def uname():
        return os.uname_result(tuple(real())[:4] + (machine,))

    os.uname = uname

if suffix:
    # what this interpreter itself can load was settled before: the list only informs
    import importlib.machinery

    importlib.machinery.EXTENSION_SUFFIXES[:] = [suffix, ".abi3.so", ".so"]
    multiarch = suffix.split("-", 2)[-1].rsplit(".", 1)[0]
    if hasattr(sys.implementation, "_multiarch"):
        sys.implementation._multiarch = multiarch
