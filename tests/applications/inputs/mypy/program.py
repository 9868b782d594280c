import asyncio
from dataclasses import dataclass

import pathspec
import nothing_of_this_name


@dataclass(frozen=True)
class Point:
    x: int
    y: int = "0"


def double(value):
    return value * 2


async def main() -> None:
    point = Point(1)
    point.x = 3
    reveal_type(pathspec.PathSpec.from_lines)
    reveal_type(await asyncio.gather(asyncio.sleep(0, 1), asyncio.sleep(0, "one")))
