"""``pypack plan``: shows all inputs of a build, without building."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

from pypack.cli import build
from pypack.cli.console import Console

_EXAMPLES = """\
examples:
  pypack plan myapp/                                  runtime, packages and keys for this machine
  pypack plan myapp/ --target all                     for all targets
  pypack plan myapp/ --target all --json > plan.json  every pin, wheel, tool and setting by hash

Two plans with the same keys give the same bytes. With a lock that is current nothing is asked of
an index.
"""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "plan", help="show what a build would be made from", epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    build.add_options(parser)
    parser.set_defaults(run=run, parser=parser)


def run(typed: argparse.Namespace) -> int:
    """Plan, and print the plan."""
    from pypack.base import folders, hosts
    from pypack.graph import description
    from pypack.plan import planner
    from pypack.steps.cache import open_cache
    from pypack.steps.producer import Producer
    from pypack.steps.step import Settings

    request = build.read_request(typed)
    options, folder = request.options, Path(folders.PRODUCTS).absolute()
    display = Console(quiet=options.errors_only, verbose=options.verbose, aside=True)  # stdout is for the plan
    settings = Settings(
        offline=options.offline, upgrade=options.upgrade, verbose=options.verbose, jobs=hosts.cores(),
        say=display.project(str(request.project.root), quiet=request.project.quiet), shown_by=display,
    )  # fmt: skip
    try:
        cache = open_cache()
    except OSError:  # a read-only home: plan without it, as a build does
        cache = None
    outputs = (folder, Path("dist").absolute(), *filter(None, (options.out, options.report)))  # never part of the app
    project = replace(request.project, outputs=outputs)
    try:
        plans = planner.bundles(project, request.targets, build=folder, settings=settings, cache=cache)
        display.resolved()
    finally:
        display.end()
    if options.json:
        print(json.dumps(description.as_json(project, plans), indent=1, sort_keys=True))
    else:
        print("\n".join(description.lines(plans, Producer(folder, cache))))
    return 0
