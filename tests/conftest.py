"""Fixtures that more than one folder needs."""

import gc
import logging
import os
import ssl
import sys
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
import trio.testing
from hypothesis import HealthCheck, settings
from jinja2 import Environment
from quart import Quart

from phonegate.events.bus import Bus
from phonegate.log import Logger
from phonegate.process import GARBAGE
from phonegate.store.database import Database
from tests import first_imports, ignored_signals, new_database
from tests.forked_programs import forked_programs
from tests.known_routes import KnownRoutes
from tests.patience import PATIENCE_S

# Some machines forbid Python to keep what it compiled. Each of the hundreds of programs that tests
# start would compile phonegate again, and each worker of pytest would rewrite all tests.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# As seldom as a gateway looks for garbage: Python's own 700 objects are a small part of one app.
gc.set_threshold(*GARBAGE)

# What httpx waits for where a test does not say, else five seconds: too few on a busy machine.
_UNSAID = httpx._config.DEFAULT_TIMEOUT_CONFIG
_UNSAID.connect = _UNSAID.read = _UNSAID.write = _UNSAID.pool = PATIENCE_S

# A quarter of Hypothesis's usual number of examples, and the same ones each time: a change is not
# to be held up by what was wrong before it. `--hypothesis-profile search` looks for new ones.
# No deadline, and none for making examples: how long they take says more of the machine than of the
# code.
settings.register_profile(
    "suite",
    max_examples=25,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "search", settings.get_profile("suite"), max_examples=500, derandomize=False
)
settings.load_profile("suite")


@pytest.fixture(scope="session", autouse=True)
def _routes_as_compiled_before() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Quart, "url_map_class", KnownRoutes)
        yield


@pytest.fixture(scope="session", autouse=True)
def _templates_as_compiled_before() -> Iterator[None]:
    """Has Jinja compile each template once in a worker, and not again in every app."""
    afresh: Any = Environment.compile
    kept: dict[object, Any] = {}

    def compile_once(environment: Environment, source: Any, *how: Any, **options: Any) -> Any:
        if options or not isinstance(source, str):
            return afresh(environment, source, *how, **options)
        blanks = (environment.trim_blocks, environment.lstrip_blocks, environment.is_async)
        key = (source, how, blanks, frozenset(environment.filters), frozenset(environment.tests))
        if key not in kept:
            kept[key] = afresh(environment, source, *how)
        return kept[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Environment, "compile", compile_once)
        yield


@pytest.fixture(scope="session", autouse=True)
def _authorities_as_read_before() -> Iterator[None]:
    """Has httpx read the public authorities once in a worker, and not again for every client.

    A test that asks a gateway on loopback by `httpx.get` would spend 30 ms on them in each call.
    """
    afresh = httpx.create_ssl_context
    kept: dict[object, ssl.SSLContext] = {}

    def context(verify: Any = True, cert: Any = None, trust_env: bool = True) -> ssl.SSLContext:  # noqa: FBT001, FBT002 - as httpx has it
        if verify is not True or cert is not None:
            return afresh(verify, cert, trust_env)
        key = trust_env and tuple(map(os.environ.get, ("SSL_CERT_FILE", "SSL_CERT_DIR")))
        if key not in kept:
            kept[key] = afresh(trust_env=trust_env)
        return kept[key]

    with pytest.MonkeyPatch.context() as patch:
        for module in ("httpx", "httpx._transports.default"):
            patch.setattr(f"{module}.create_ssl_context", context)
        yield


@pytest.fixture(scope="session", autouse=True)
def _programs_as_read_before() -> Iterator[None]:
    with forked_programs():
        yield


@pytest.fixture(autouse=True)
def _logging_as_imported() -> Iterator[None]:
    """Undoes what a command that a test ran in this process did to the loggers."""
    handlers = list(logging.getLogger().handlers)
    yield
    Logger.output = None
    logging.getLogger().handlers[:] = handlers


NOTED_BY_THE_WAY = (
    *("authentication._TOUCH_DEADLINE_S", "sessions.TOUCH_DEADLINE_S"),
    *("familiar_callers._NOTE_DEADLINE_S", "dialect_tokens.NOTE_DEADLINE_S"),
    "hooks.hooks._NOTE_DEADLINE_S",
)
"""The second for which a request waits until what it notes by the way is stored."""


@pytest.fixture
def notes_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has requests wait for their notes for longer than a busy machine takes to store them."""
    for name in NOTED_BY_THE_WAY:
        monkeypatch.setattr(f"phonegate.domain.{name}", PATIENCE_S)


@pytest.fixture
def settable_clock() -> trio.testing.MockClock:
    """Trio's clock at its usual pace, which a test can set ahead.

    A deadline can so be long where something has to come before it, and pass at once after that.
    """
    return trio.testing.MockClock(rate=1.0)


@pytest.fixture
def bus() -> Bus:
    """The bus on which `database` publishes."""
    return Bus()


@pytest.fixture
async def database(tmp_path: Path, nursery: trio.Nursery, bus: Bus) -> AsyncIterator[Database]:
    """The real store, on a new file, with its writer running. Each reader costs a millisecond."""
    opened = Database.open(
        new_database.make(tmp_path / "phonegate.db"), readers=2, publish=bus.publish
    )
    await nursery.start(opened.run_writer)
    yield opened
    opened.stop_writing()
    opened.close()


LONG_FIRST = (
    *("test_quality.py", "test_schemathesis.py", "trials"),
    *("test_zipapp.py", "bench", "end_to_end"),
)
"""Files and folders of tests that take long, by how long the longest of their files takes: begun
last, they would keep one worker busy alone. xdist would begin with the files of most tests, and
so is asked in pyproject.toml to keep this order."""


def pytest_configure() -> None:
    ignored_signals.keep_from_programs()


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    # All that is loaded and collected stays: no part of it is garbage, nor need any of it be
    # searched for garbage in the tests.
    gc.disable()
    try:
        first_imports.begin_apart(session)
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    ranks = (rank for rank, part in enumerate(LONG_FIRST) if part in item.path.parts)
    return next(ranks, len(LONG_FIRST))
