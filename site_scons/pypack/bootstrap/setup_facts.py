# Runs a setup.py as setuptools does, as far as its settings (setup.cfg and pyproject.toml too), and prints them as JSON.
# Started by uv in the project's folder, with its build requirements; what the setup.py itself prints goes to standard error.
# With the facts goes "opened": the files that were opened for them.
import json
import os
import sys


def main():
    answer = os.dup(1)
    os.dup2(2, 1)
    sys.path.insert(0, os.getcwd())
    sys.argv[:] = ["setup.py"]
    import setuptools
    from distutils import core

    opened = set()
    sys.addaudithook(lambda event, args: event == "open" and isinstance(args[0], str) and opened.add(args[0]))

    if os.path.exists("setup.py"):
        found = core.run_setup("setup.py", stop_after="config")
    else:
        found = setuptools.Distribution()
        found.parse_config_files()
    points = found.entry_points or {}
    if isinstance(points, str):
        points = {"console_scripts": points.partition("[console_scripts]")[2].partition("\n[")[0]}
    told = {
        "name": found.get_name() if found.metadata.name else "",
        "version": str(found.metadata.version or ""),
        "description": found.metadata.description or "",
        "requires_python": str(getattr(found, "python_requires", None) or ""),
        "dependencies": lines(found.install_requires),
        "extras": {name: lines(value) for name, value in (found.extras_require or {}).items()},
        "scripts": lines(found.scripts),
        "entry_points": {name: lines(value) for name, value in points.items()},
        "opened": sorted(os.path.abspath(path) for path in opened.copy()),
    }
    os.write(answer, json.dumps(told).encode())


def lines(value):
    rows = value.splitlines() if isinstance(value, str) else list(value or ())
    return [row.strip() for row in rows if row.strip() and not row.strip().startswith("#")]


main()
