"""What SCons does for a node: runs a step, or copies its product from the step cache."""

from __future__ import annotations

import atexit
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import SCons.Action
import SCons.Defaults
import SCons.Errors
import SCons.Script

from pypack.base import files, hosts
from pypack.base.notes import Note
from pypack.errors import PypackError
from pypack.steps.cache import LocalStepCache, open_cache
from pypack.steps.display import Display
from pypack.steps.producer import Producer
from pypack.steps.step import Settings, Step

if TYPE_CHECKING:
    from collections.abc import Sequence

    from SCons.Environment import Base
    from SCons.Node.FS import File


class StepAction(SCons.Action.FunctionAction):  # type: ignore[misc]
    """Runs a step, or copies its product from the step cache."""

    def __init__(self, step: Step, producer: Producer) -> None:
        self._step, self._producer = step, producer
        # SCons would analyse a real function for a signature that is not used, which costs a millisecond
        super().__init__(_nothing, {"cmdstr": None})
        self.execfunction = self._execute

    def get_presig(self, target: object, source: object, env: object) -> bytes:
        """Return the action's part of signatures: empty, since the node's source is the key."""
        del target, source, env
        return b""

    def strfunction(self, target: Sequence[File], source: object, env: Base, executor: object = None) -> str:
        """Return what SCons prints before it runs the action: nothing, but for a dry run. The display has the rest."""
        del source, executor
        if not env.GetOption("no_exec") or self._producer.is_cached(self._step):
            return ""
        return f"{self._step.action:<10} {target[0]}"

    def _execute(self, target: Sequence[File], source: object, env: Base) -> object:
        del source
        node, step = target[0], self._step
        display: Display = env["PYPACK_DISPLAY"]
        cached = self._producer.is_cached(step)
        try:
            path, with_settings = Path(node.get_abspath()), settings(env)
            if not cached:
                display.start(step, str(node), self._producer.why(step, path))
            self._producer.produce(step, with_settings, on_cache_hit=display.take_from_cache, path=path)
            for note in self._producer.notes(step):
                with_settings.say(note)
            display.finish(step, str(node), cached=cached)
        except PypackError as error:
            return SCons.Errors.BuildError(node, str(error), status=error.exit_code)
        except OSError as error:
            return SCons.Errors.BuildError(node, str(files.disk_error(error, Path(node.get_abspath()))), status=1)
        return None


def producer(env: Base) -> Producer:
    """Return the producer of ``env``; environments that build into the same folder share one."""
    producers: _Producers = env["PYPACK_PRODUCERS"]
    build = Path(env["PYPACK_BUILD_PATH"])
    if build not in producers.by_folder:
        producers.by_folder[build] = Producer(build, _step_cache(env))
    return producers.by_folder[build]


class _Producers:
    """One producer for each output folder. SCons copies dictionaries with an environment, but not objects."""

    def __init__(self) -> None:
        self.by_folder: dict[Path, Producer] = {}


def install(env: Base) -> None:
    """Give ``env`` and its clones a shared registry of producers, and a display if it has none."""
    env.SetDefault(PYPACK_PRODUCERS=_Producers())
    if "PYPACK_DISPLAY" not in env:
        display = Display(_silence if env.GetOption("silent") else say, verbose=int(env["PYPACK_VERBOSE"]))
        # SCons calls nobody when a build has ended
        atexit.register(lambda: display.end(len(SCons.Script.GetBuildFailures())))
        env["PYPACK_DISPLAY"] = display


def _step_cache(env: Base) -> LocalStepCache | None:
    """Return the step cache: in the CacheDir that the user has set, else in pypack's own folder; None if disabled."""
    if env.GetOption("cache_disable"):
        return None
    configured = getattr(env, "_CacheDir_path", None) or _global_cache_dir()
    folder = Path(env.Dir("#").get_abspath()) / configured if configured else None
    try:
        return open_cache(folder, readonly=bool(env.GetOption("cache_readonly")))
    except OSError as error:  # a read-only home: build without it
        text = f"building without the cache {error.filename}: {error.strerror}"
        (env.get("PYPACK_SAY") or env["PYPACK_DISPLAY"].say)(Note("no-cache", text))
        return None


def _global_cache_dir() -> str | None:
    """Return what the function ``CacheDir`` of a SConstruct has set for all environments."""
    default: object = getattr(SCons.Defaults, "_default_env", None)  # to ask for it would make one
    return getattr(default, "_CacheDir_path", None)


def settings(env: Base) -> Settings:
    """Return the build settings from the environment's variables."""
    cleaning = bool(env.GetOption("clean"))
    return Settings(
        offline=bool(env["PYPACK_OFFLINE"]) or cleaning,
        upgrade=bool(env["PYPACK_UPGRADE"]) and not (cleaning or env.GetOption("no_exec")),
        verbose=int(env["PYPACK_VERBOSE"]),
        jobs=hosts.cores(),
        say=env.get("PYPACK_SAY") or env["PYPACK_DISPLAY"].say,
        shown_by=env["PYPACK_DISPLAY"],
    )


def say(text: str) -> None:
    """Print one line with one write, since several steps may print at the same time."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _silence(text: str) -> None:
    del text


def _nothing(target: object, source: object, env: object) -> None:
    del target, source, env
