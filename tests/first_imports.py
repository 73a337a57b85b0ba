"""What each worker of pytest imports first, where the compiled form of the tests is not kept yet.

Each imports all test files. Begun at the same one, they would all compile each of them. Begun
apart, each finds most of them compiled by another.
"""

import importlib
from contextlib import suppress
from pathlib import Path

import pytest


def begin_apart(session: pytest.Session) -> None:
    """Imports the test files of the folders that are asked for, from a place of this worker's."""
    config = session.config
    worker = getattr(config, "workerinput", None)
    if worker is None:
        return
    folders = [config.rootpath / argument for argument in config.args]
    paths = sorted(path for folder in folders for path in folder.rglob("test_*.py"))
    number = int(worker["workerid"].removeprefix("gw"))
    for path in in_turn(paths, number, worker["workercount"]):
        module = ".".join(path.relative_to(config.rootpath).with_suffix("").parts)
        # What fails here fails again when pytest collects it, which then says how.
        with suppress(Exception):
            importlib.import_module(module)


def in_turn(paths: list[Path], number: int, workers: int) -> list[Path]:
    """The files as the worker of that number imports them."""
    first = len(paths) * number // workers
    return paths[first:] + paths[:first]
