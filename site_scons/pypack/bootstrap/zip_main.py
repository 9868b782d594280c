# What "python BUNDLE" runs, on whatever Python the person has, so it is written for every Python since 2.7.
# It hands over to the bundle itself; where that cannot be started, a pure app runs on this Python.
import json
import os
import sys
import zipfile


def main():
    bundle = os.path.abspath(os.path.dirname(os.path.abspath(__file__)))
    with_arguments = [bundle] + sys.argv[1:]
    try:
        if os.name == "nt":
            import subprocess

            sys.exit(subprocess.call(with_arguments))
        os.execv(bundle, with_arguments)
    except OSError as error:
        refused = "%s cannot be started on this system (%s)" % (bundle, error.strerror or error)
    packed = zipfile.ZipFile(bundle)
    facts = json.loads(packed.read("pypack.json").decode("utf-8"))
    packed.close()
    why = not_here(facts)
    if why:
        told = "%s: %s; %s\n  -> ask whoever made it for one for this system\n"
        sys.stderr.write(told % (facts["name"], refused, why))
        sys.exit(1)
    run(bundle, facts["entry"])


def not_here(facts):
    need = tuple(int(part) for part in facts["python"]["version"].split(".")[:2])
    if not facts["pure"]:
        return "its packages are packed for %s, so this Python cannot run it either" % facts["target"]
    if not facts["sources"]:
        return "it was built without sources, so this Python cannot run it either"
    if sys.version_info[:2] < need:
        return "and this Python is older than %d.%d" % need
    return ""


def run(bundle, entry):
    import runpy

    app = os.path.join(bundle, "app")
    sys.path[:1] = [os.path.join(app, "site-packages"), app]  # the first is there if the program is a distribution
    if entry["kind"] == "script":
        if "/" in entry["name"]:
            sys.path.insert(0, os.path.dirname(os.path.join(app, entry["name"])))
        script(bundle, "app/" + entry["name"])
    elif entry["kind"] == "scripts":
        points, files = dict(entry["scripts"]), dict(entry["script_files"])
        names = " ".join(sorted(list(points) + list(files)))
        if sys.argv[1:2] == [] or sys.argv[1] not in names.split():
            sys.exit("usage: python %s PROGRAM ARGUMENT...; programs: %s" % (bundle, names))
        name = sys.argv.pop(1)
        if name in points:
            call(*points[name].split(":"))
        script(bundle, "bin/" + name)
    elif entry["kind"] == "function":
        call(entry["name"], entry["function"])
    else:
        runpy.run_module(entry["name"], run_name="__main__", alter_sys=True)


def script(bundle, inside):
    sys.argv[0] = os.path.join(bundle, *inside.split("/"))
    source = zipfile.ZipFile(bundle).read(inside)
    space = {"__name__": "__main__", "__file__": sys.argv[0], "__builtins__": __builtins__}
    exec(compile(source, sys.argv[0], "exec"), space)


def call(module, attributes):
    target = __import__(module, fromlist=["*"])
    for attribute in attributes.split("."):
        target = getattr(target, attribute)
    sys.exit(target())


main()
