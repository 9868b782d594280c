import sys

if "{{ cookiecutter.name }}" == "forbidden":
    print("no tool may have this name")
    sys.exit(3)
