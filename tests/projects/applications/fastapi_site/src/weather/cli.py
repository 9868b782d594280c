import argparse
import sys

from weather.towns import read_towns


def main() -> int:
    words = argparse.ArgumentParser(description="Weather, as a site and on the command line.")
    commands = words.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve")
    serve.add_argument("--port", type=int, default=8000)
    serve.add_argument("--workers", type=int, default=1)
    commands.add_parser("report").add_argument("town")
    given = words.parse_args()
    if given.command == "serve":
        import uvicorn

        uvicorn.run("weather.app:app", port=given.port, workers=given.workers)
        return 0
    towns = read_towns()
    if given.town not in towns:
        print(f"there is no town {given.town}", file=sys.stderr)
        return 1
    print(f"{given.town}: {towns[given.town]} °C")
    return 0
