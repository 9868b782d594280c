# Calls one hook of a build backend (PEP 517) in an interpreter of its own. Started with the path of a JSON file:
#   backend  "module" or "module:object"        path  folders of the tree that come first on sys.path
#   hook     the hook's name                    arguments  what it is called with
#   answer   path of the JSON file to write: {"result": ...}; a hook that the backend lacks gives null
#   opened   path of a JSON file to write, where it is given: the files that the hook opened
import importlib
import json
import os
import sys


def main(request):
    with open(request) as stream:
        asked = json.load(stream)
    sys.path[:1] = [os.path.abspath(folder) for folder in asked["path"]]  # in the place of this file's folder
    opened = set()
    if "opened" in asked:
        sys.addaudithook(lambda event, args: event == "open" and isinstance(args[0], str) and opened.add(args[0]))
    name, _, attributes = asked["backend"].partition(":")
    backend = importlib.import_module(name)
    for attribute in filter(None, attributes.split(".")):
        backend = getattr(backend, attribute)
    hook = getattr(backend, asked["hook"], None)
    result = hook(*asked["arguments"]) if hook else None
    with open(asked["answer"], "w") as stream:
        json.dump({"result": result}, stream)
    if "opened" in asked:
        with open(asked["opened"], "w") as stream:
            json.dump(sorted(os.path.abspath(path) for path in opened.copy()), stream)


if __name__ == "__main__":
    main(sys.argv[1])
