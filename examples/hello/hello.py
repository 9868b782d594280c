"""The smallest program worth shipping: it greets you and says which Python it runs on."""

import sys


def greeting(name: str) -> str:
    return f"Hello, {name or 'world'}!"


def whereabouts() -> str:
    version = sys.version.split()[0]
    bundle = getattr(sys, "pypack", None)  # set only inside a bundle
    return f"Python {version}, in {bundle.name} for {bundle.target}" if bundle else f"Python {version}, not bundled"


def main() -> None:
    print(greeting(" ".join(sys.argv[1:])))
    print(whereabouts())


if __name__ == "__main__":
    main()
