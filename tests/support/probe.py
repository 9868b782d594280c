"""The program of tests/cases/test_process.py and test_children.py: the first argument says what it does."""

import os
import sys


def told(value):
    import json

    print(json.dumps(value))


def facts():
    import locale
    import signal

    told({
        "argv": sys.argv, "raw": [os.fsencode(word).hex() for word in sys.argv], "orig": sys.orig_argv,
        "flags": {name: getattr(sys.flags, name) for name in dir(sys.flags) if name[0] != "_" and name.islower()
                  and not callable(getattr(sys.flags, name))},
        "signals": {int(each): str(signal.getsignal(each)) for each in signal.valid_signals()},
        "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
        "pid": os.getpid(), "parent": os.getppid(), "group": os.getpgrp(), "session": os.getsid(0),
        "folder": os.getcwd(), "umask": os.umask(0), "comm": open("/proc/self/comm").read().strip(),
        "words": open("/proc/self/cmdline", errors="replace").read().split("\0")[0],
        "files": sorted(int(each) for each in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{each}")),
        "environment": {name.hex(): value.hex() for name, value in os.environb.items()},
        "streams": [each and (each.encoding, each.errors, each.line_buffering) for each in
                    (sys.stdin, sys.stdout, sys.stderr)],
        "encodings": [locale.getpreferredencoding(False), sys.getfilesystemencoding(), sys.getfilesystemencodeerrors(),
                      locale.setlocale(locale.LC_CTYPE)],
        "main": {"file": __file__, "spec": __spec__ and __spec__.name, "package": __package__, "name": __name__,
                 "names": sorted(globals())},
        "executable": sys.executable, "prefixes": [sys.prefix, sys.base_prefix], "hook": sys.excepthook is
        sys.__excepthook__,
    })  # fmt: skip


def modules():
    told(sorted(sys.modules))


def imports():
    import json.decoder
    import struct

    import helper
    import idna.core

    struct.pack("<I", 1)
    json.loads(json.dumps(idna.encode("ä").decode() + helper.WORD))
    print("fine")


def late():
    print("waits", flush=True)
    name = sys.stdin.readline().strip()
    print("goes on")
    __import__(name)


def ways_to_end():
    way = sys.argv[2]
    if way == "number":
        sys.exit(3)
    if way == "text":
        sys.exit("a last word")
    if way == "none":
        sys.exit()
    if way == "raise":
        broken()
    if way == "chain":
        try:
            broken()
        except ZeroDivisionError as error:
            raise RuntimeError("more") from error
    if way == "syntax":
        compile("a = (\n", "somewhere.py", "exec")
    if way == "missing":
        import module_that_nobody_has  # noqa: F401
    if way == "keyboard":
        raise KeyboardInterrupt
    if way == "hook":
        sys.excepthook = lambda *values: print("hooked", values[0].__name__, file=sys.stderr)
        broken()
    if way == "hook that exits":
        sys.excepthook = lambda *values: sys.exit(9)
        broken()
    if way == "group":
        raise ExceptionGroup("several", [ValueError(1), KeyError(2)])
    if way == "at exit":
        import atexit

        atexit.register(print, "left")
        broken()
    if way == "thread":
        import threading

        thread = threading.Thread(target=broken)
        thread.start()
        thread.join()
    if way == "quickly":
        os._exit(5)
    if way == "abort":
        os.abort()
    if way == "fault":
        import faulthandler

        faulthandler.enable()
        faulthandler._sigsegv()
    if way == "warning":
        import warnings

        warnings.warn("take care")
        warnings.warn("old", DeprecationWarning)
        warnings.warn("later", PendingDeprecationWarning)
    if way == "debugger":
        value = 42
        breakpoint()
        print("went on", value)
    if way.isdigit():
        os.kill(os.getpid(), int(way))


def broken():
    return 1 / 0


def line():
    import readline  # noqa: F401

    told(input("? "))


def terminal():
    with open("/dev/tty", "w") as own:
        own.write("to the terminal\n")
    told([os.isatty(0), os.isatty(1), os.tcgetpgrp(0) == os.getpgrp(), os.get_terminal_size(0).columns])


def square(number):
    import idna

    return [number * number, idna.encode("ä.de").decode(), os.path.basename(sys.executable)]


def pools():
    import concurrent.futures
    import multiprocessing

    found = {}
    for method in multiprocessing.get_all_start_methods():
        with multiprocessing.get_context(method).Pool(2) as pool:
            found[method] = pool.map(square, [1, 2, 3])
    for method in ("spawn", "fork"):
        context = multiprocessing.get_context(method)
        with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
            found[f"futures {method}"] = list(pool.map(square, [4]))
    process = multiprocessing.get_context("spawn").Process(target=sys.exit, args=(7,))
    process.start()
    process.join()
    told([found, process.exitcode])


def children():
    import subprocess

    code = "import sys, idna, helper; print(helper.WORD, sys.argv[1:], sys.executable == {!r})".format(sys.executable)
    with open("child.py", "w") as file:
        file.write(code)
    ways = {"-c": ["-c", code, "a b"], "-m": ["-m", "idna", "--version"], "-m own": ["-m", "helper", "x"],
            "file": ["child.py", "y"], "isolated": ["-I", "-c", code], "-": ["-"]}  # fmt: skip
    found = {}
    for name, words in ways.items():
        done = subprocess.run([sys.executable, *words], input=code, capture_output=True, text=True)
        found[name] = [done.returncode, done.stdout.strip(), done.stderr[-300:]]
    told(found)


def commands():
    import shutil
    import subprocess

    own = os.path.join(os.path.dirname(sys.executable), "idna")
    done = subprocess.run([own, "--version"], capture_output=True, text=True)
    told([done.returncode, done.stdout.strip(), done.stderr, shutil.which("idna") == own])


def again():
    """os.execv of the bundle, then of the interpreter."""
    count = int(os.environ.get("COUNT", "0"))
    os.environ["COUNT"] = str(count + 1)
    if count < 3:
        os.execv(sys.argv[0], [sys.argv[0], *sys.argv[1:]])
    os.execv(sys.executable, [sys.executable, "-c", "import os, idna; print('interpreter', os.environ['COUNT'])"])


def daemon():
    """Two forks and a session of its own; the parent has ended when it starts a child."""
    import subprocess
    import time

    told("begun")
    sys.stdout.flush()
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
    time.sleep(0.2)
    done = subprocess.run([sys.executable, "-c", "import idna; print(idna.encode('ö.de').decode())"],
                          capture_output=True, text=True)  # fmt: skip
    with open("daemon.part", "w") as file:
        file.write(done.stdout + done.stderr)
    os.rename("daemon.part", "daemon.out")


def asynchronous():
    import asyncio

    async def main():
        words = (sys.executable, "-c", "import helper; print(helper.WORD)")
        process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
        out, _ = await process.communicate()
        shell = await asyncio.create_subprocess_shell("exit 6")
        return [out.decode().strip(), process.returncode, await shell.wait()]

    told(asyncio.run(main()))


def main():
    globals()[sys.argv[1]]()


if __name__ == "__main__":
    main()
