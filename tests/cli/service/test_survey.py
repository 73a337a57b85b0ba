"""What is found of a service before it is installed."""

import sqlite3
from contextlib import closing
from pathlib import Path

import attrs
import pytest

from phonegate.cli.failure import Failure
from phonegate.cli.installation import Installation
from phonegate.cli.service.places import Places, of_machine
from phonegate.cli.service.survey import configured, survey
from phonegate.operations import schema_steps


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """Those of a service of the machine, below a folder of the test."""
    return attrs.evolve(of_machine(), config=tmp_path / "gateway.toml", state=tmp_path / "state")


@pytest.mark.parametrize(
    ("path", "found"),
    [("gate.db", "state/gate.db"), ("below/gate.db", "state/below/gate.db"), (None, None)],
)
def test_a_database_is_in_the_folder_of_the_service(
    places: Places, tmp_path: Path, path: str | None, found: str | None
) -> None:
    if path is not None:
        places.config.write_text(f'[database]\npath = "{path}"\n')
    wanted = places.database if found is None else tmp_path / found
    assert configured(places).database == wanted


def test_a_database_where_the_service_may_not_write_is_refused(
    places: Places, tmp_path: Path
) -> None:
    places.config.write_text(f'[database]\npath = "{tmp_path}/elsewhere.db"\n')
    with pytest.raises(Failure, match="may write to") as caught:
        configured(places)
    assert str(places.database) in str(caught.value)
    configured(attrs.evolve(places, user=None))


def test_what_the_shell_sets_is_not_what_the_service_gets(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHONEGATE_HTTP_BIND", "192.0.2.1:1")
    assert configured(places).settings.http.bind != ("192.0.2.1:1",)


@pytest.mark.parametrize(
    ("steps", "migrates"),
    [
        (None, False),
        (0, False),
        (1, True),
        (schema_steps.KNOWN - 1, True),
        (schema_steps.KNOWN, False),
    ],
)
def test_a_database_that_the_program_would_change_is_seen(
    places: Places, steps: int | None, *, migrates: bool
) -> None:
    if steps is not None:
        places.state.mkdir()
        with closing(sqlite3.connect(places.database)) as made:
            made.execute(f"PRAGMA user_version = {steps}")
    program = Installation(way="venv", place=Path("/opt/x"), program=("x",), code=())
    assert survey(places, program, configured(places)).migrates is migrates
