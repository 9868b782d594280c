"""The program of tests/cases/test_environment.py: the first argument says what it does."""

import os
import sys


def told(value):
    import json

    print(json.dumps(value), flush=True)


def square(number):
    return number * number


def started():
    """Count how often the main program runs: workers must not run it."""
    with open(os.environ["STARTED"], "a") as stream:
        stream.write("x")


def pools():
    import concurrent.futures
    import multiprocessing
    import tempfile

    os.environ["STARTED"] = tempfile.mkstemp()[1]
    started()
    found = {}
    for method in multiprocessing.get_all_start_methods():
        context = multiprocessing.get_context(method)
        with context.Pool(2) as pool:
            found[f"multiprocessing {method}"] = pool.map(square, [1, 2, 3])
        with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
            found[f"futures {method}"] = list(pool.map(square, [1, 2, 3]))
    import joblib

    found["loky"] = joblib.Parallel(n_jobs=2)(joblib.delayed(square)(number) for number in (1, 2, 3))
    import billiard
    import multiprocess

    for module in (multiprocess, billiard):
        with module.get_context("spawn").Pool(2) as pool:
            found[f"{module.__name__} spawn"] = pool.map(square, [1, 2, 3])
    found["main"] = os.path.getsize(os.environ["STARTED"])
    told(found)


def seen():
    import colorsys
    import inspect
    import site
    import subprocess
    import sysconfig

    main = sys.modules["__main__"]
    frame, depth = sys._getframe(), 0
    while frame:
        frame, depth = frame.f_back, depth + 1
    code = "import sys, thing; print(list(sys.flags), thing.__name__)"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    files = [os.path.join(sys.prefix, *name.split("/")) for name in ("share/thing/words.txt", "etc/thing/deep/er/conf")]
    told({
        "flags": list(sys.flags), "main": main.__name__, "spec": repr(main.__spec__), "depth": depth,
        "loader": type(main.__loader__).__name__, "child flags": subprocess._args_from_interpreter_flags(),
        "names": [type(value).__name__ for value in (copyright, credits, license, exit, quit, help)],
        "child": [child.returncode, child.stdout, child.stderr], "prefix": sys.prefix, "base prefix": sys.base_prefix,
        "scheme": sysconfig.get_default_scheme() if hasattr(sysconfig, "get_default_scheme") else "",
        "purelib": sysconfig.get_path("purelib"), "site packages": site.getsitepackages(),
        "enable user site": site.ENABLE_USER_SITE, "colorsys": colorsys.__file__,
        "data": [open(file).read() for file in files], "scripts": [
            name for name in os.listdir(sysconfig.get_path("scripts")) if name == "thing-tool"],
        "source": len(inspect.getsource(main)) > 0,
    })  # fmt: skip


def running():
    import asyncio
    import faulthandler
    import site
    import tracemalloc
    import warnings

    try:
        warnings.warn("careful")
        warned = "told"
    except UserWarning:
        warned = "raised"
    told({
        "flags": list(sys.flags), "streams": [(each.encoding, each.errors, each.write_through) for each in
                                              (sys.stdout, sys.stderr)],
        "faulthandler": faulthandler.is_enabled(), "tracemalloc": tracemalloc.get_traceback_limit(), "warned": warned,
        "hash": hash("x") if sys.flags.hash_randomization == 0 or os.environ.get("PYTHONHASHSEED") else 0,
        "asserts": __debug__, "bytecode": sys.dont_write_bytecode, "prefix": sys.pycache_prefix, "base": site.USER_BASE,
        "breakpoint": os.environ.get("PYTHONBREAKPOINT"), "debug": asyncio.coroutines._is_debug_mode(),
        "columns": next((lambda: 0).__code__.co_positions())[2] if hasattr(seen.__code__, "co_positions") else 0,
        "filters": [each[0] for each in warnings.filters],
    })  # fmt: skip


def choosing(name):
    import subprocess

    try:
        import fakemodule  # noqa: F401

        fake = True
    except ImportError:
        fake = False
    code = "import thing; print(thing.__name__)"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    told({"fake": fake, "variable": os.environ.get(name), "prefix": os.path.basename(os.path.dirname(sys.prefix)),
          "child": [child.returncode, child.stdout.strip()]})  # fmt: skip


def given(folder):
    import subprocess

    env = {**os.environ, "PYTHONPATH": folder}
    code = "import fakemodule; print(fakemodule.NAME)"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    told([child.returncode, child.stdout.strip()])


def restart(way, *words):
    count = int(os.environ["COUNT"])
    if count == 3:
        return told([os.environ["COUNT"], ["restart", way, *words]])
    os.environ["COUNT"] = str(count + 1)
    if way == "executable and original words":
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
    if way == "executable and words":
        os.execv(sys.executable, [sys.executable, *sys.argv])
    if way == "words":
        os.execv(sys.argv[0], sys.argv)
    with open("/proc/self/cmdline") as stream:
        own = stream.read().split("\0")[:-1]
    os.execv(own[0], own)


def install(wheel):
    import importlib
    import subprocess

    quiet = ["-q", "--no-index", "--no-deps", "--disable-pip-version-check", "--root-user-action=ignore"]
    done = subprocess.run([sys.executable, "-m", "pip", "install", *quiet, wheel], capture_output=True, text=True)
    importlib.invalidate_caches()
    later = importlib.import_module("later")
    code = "import later; print(later.VALUE)"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    told({"pip": done.returncode or done.stderr, "itself": later.VALUE, "child": [child.returncode, child.stdout.strip()],
          "below prefix": later.__file__.startswith(sys.prefix + os.sep)})  # fmt: skip


def imported(name):
    import importlib

    told(importlib.import_module(name).VALUE)


def order(way):
    print("working on it")
    if way == "raise":
        raise RuntimeError("it broke")
    if way == "exit":
        sys.exit("gave up")


def main():
    globals()[sys.argv[1]](*sys.argv[2:])


def second():
    main()


if __name__ == "__main__":
    main()
