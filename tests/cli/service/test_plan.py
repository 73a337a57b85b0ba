"""The steps of an installation and a removal, from what there is."""

import tomllib
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.cli.failure import Failure
from phonegate.cli.installation import Installation
from phonegate.cli.service import places, plan
from phonegate.cli.service.plan import MADE, Present
from phonegate.cli.service.steps import (
    AddUser,
    CopyDatabase,
    MakeFolder,
    Manage,
    PlaceProgram,
    Remove,
    RemoveUser,
    Step,
    WriteFile,
)
from phonegate.cli.service.unit import UNIT_NAME

MACHINE = places.of_machine()
OWN = places.of_user(Path("/home/ann"), {"XDG_CONFIG_HOME": "relative", "XDG_DATA_HOME": "/data"})
PYTHON = Path("/usr/bin/python3")
ZIPAPP = Installation(
    way="zipapp",
    place=Path("/home/ann/phonegate.pyz"),
    program=("/usr/bin/python3", "/home/ann/phonegate.pyz"),
    code=(PYTHON, Path("/home/ann/phonegate.pyz")),
)
VENV = Installation(
    way="venv",
    place=Path("/opt/phonegate"),
    program=("/opt/phonegate/bin/phonegate",),
    code=(Path("/opt/phonegate"), PYTHON),
)
RESTART = [
    Manage(("daemon-reload",)),
    Manage(("enable", UNIT_NAME)),
    Manage(("stop", UNIT_NAME)),
    Manage(("reset-failed", UNIT_NAME), may_fail=True),
    Manage(("start", "--no-block", UNIT_NAME)),
]


def steps(
    present: Present, program: Installation = ZIPAPP, where: places.Places = MACHINE
) -> list[Step]:
    return list(plan.installation(where, program, present))


def written(found: list[Step]) -> dict[Path, str]:
    return {step.path: step.text for step in found if isinstance(step, WriteFile)}


def after(found: list[Step], where: places.Places = MACHINE) -> Present:
    """What there is once the steps were carried out."""
    texts = written(found)
    return Present(
        user=True,
        unit=texts[where.unit],
        command=texts[where.command],
        config=True,
        same_program=True,
        there=frozenset(step.path for step in found if isinstance(step, MakeFolder)),
    )


@pytest.mark.parametrize("program", [ZIPAPP, VENV], ids=["zipapp", "venv"])
@pytest.mark.parametrize("where", [MACHINE, OWN], ids=["machine", "user"])
def test_a_second_installation_only_restarts(program: Installation, where: places.Places) -> None:
    first = steps(Present(), program, where)
    assert steps(after(first, where), program, where) == RESTART


def test_a_first_installation_makes_all() -> None:
    found = steps(Present())
    assert found[0] == AddUser("phonegate", Path("/var/lib/phonegate"))
    assert PlaceProgram(ZIPAPP.place, MACHINE.program, MACHINE.previous) in found
    texts = written(found)
    program = "/usr/bin/python3 /usr/local/lib/phonegate/phonegate.pyz"
    assert (
        f"ExecStart={program} serve --config /etc/phonegate/gateway.toml\n" in texts[MACHINE.unit]
    )
    assert f'exec {program} "$@"\n' in texts[MACHINE.command]
    assert 'path = "/var/lib/phonegate/phonegate.db"' in texts[MACHINE.config]
    (config,) = (one for one in found if isinstance(one, WriteFile) and one.path == MACHINE.config)
    assert (config.mode, config.group) == (0o640, "phonegate")
    assert found[-len(RESTART) :] == RESTART


def test_the_files_of_a_user_are_where_the_user_has_set_them() -> None:
    found = steps(Present(), VENV, OWN)
    texts = written(found)
    assert set(texts) == {
        Path("/home/ann/.config/phonegate/gateway.toml"),
        Path("/home/ann/.config/systemd/user/phonegate.service"),
        Path("/home/ann/.local/bin/phonegate"),
    }
    assert MakeFolder(Path("/data/phonegate"), 0o700) in found
    assert not [one for one in found if isinstance(one, AddUser | PlaceProgram)]
    assert "User=" not in texts[OWN.unit]
    assert "WorkingDirectory=/data/phonegate\n" in texts[OWN.unit]


@given(st.text(st.characters(min_codepoint=0x20, exclude_categories=["Cs", "Cc"])))
def test_a_first_configuration_names_the_database_wherever_it_is(name: str) -> None:
    where = places.of_user(Path("/home/ann"), {"XDG_DATA_HOME": f"/{name}"})
    read = tomllib.loads(plan.first_configuration(where))
    assert read["database"]["path"] == str(where.database)


def test_a_folder_that_no_unit_can_name_is_refused_before_anything_is_done() -> None:
    where = places.of_user(Path("/home/ann"), {"XDG_DATA_HOME": "/data\nExecStartPre=/bad"})
    with pytest.raises(Failure, match="can't be written into a unit"):
        steps(Present(), where=where)


def test_what_belongs_to_the_owner_is_never_written_again() -> None:
    found = steps(Present(config=True, command="#!/bin/sh\nanother program\n"))
    assert set(written(found)) == {MACHINE.unit}


def test_the_database_is_copied_before_anything_is_replaced() -> None:
    found = steps(attrs.evolve(after(steps(Present())), same_program=False, migrates=True))
    assert found[0] == CopyDatabase(MACHINE.backups)
    assert isinstance(found[1], PlaceProgram)


def test_a_low_port_needs_a_capability() -> None:
    assert (
        "AmbientCapabilities=CAP_NET_BIND_SERVICE"
        in written(steps(Present(low_ports=True)))[MACHINE.unit]
    )


@pytest.mark.parametrize(
    ("present", "program", "sentence"),
    [
        (Present(packaged=True), VENV, "apt upgrades it"),
        (Present(), attrs.evolve(VENV, way="deb"), "apt upgrades it"),
        (Present(unit="[Service]\nExecStart=/x\n"), VENV, "was not made by this command"),
        (
            Present(),
            attrs.evolve(VENV, code=(Path("/home/ann/venv"), PYTHON)),
            "can't read /home/ann/venv: /home is hidden",
        ),
        (
            Present(),
            attrs.evolve(ZIPAPP, code=(Path("/root/.pyenv/bin/python"), ZIPAPP.place)),
            "Run this with the system's own Python: /usr/bin/python3 /home/ann/phonegate.pyz",
        ),
    ],
)
def test_what_a_person_has_to_decide_stops_it_before_it_begins(
    present: Present, program: Installation, sentence: str
) -> None:
    with pytest.raises(Failure, match=sentence):
        steps(present, program)


def test_a_users_own_service_may_be_in_the_users_home() -> None:
    assert steps(Present(), attrs.evolve(VENV, code=(Path("/home/ann/venv"),)), OWN)


INSTALLED = attrs.evolve(
    after(steps(Present())),
    there=frozenset(
        {MACHINE.program.parent, MACHINE.config.parent, MACHINE.state, MACHINE.backups}
        | {MACHINE.cache}
    ),
)


def removed(present: Present, *, purge: bool) -> list[Step]:
    return list(plan.removal(MACHINE, present, purge=purge))


def test_a_removal_keeps_configuration_and_data() -> None:
    found = removed(INSTALLED, purge=False)
    assert found[0] == Manage(("disable", "--now", UNIT_NAME))
    gone = {step.path for step in found if isinstance(step, Remove)}
    assert gone == {MACHINE.unit, MACHINE.command, MACHINE.program.parent, MACHINE.cache}
    assert not [one for one in found if isinstance(one, RemoveUser)]


def test_a_purge_removes_them_and_the_user_last() -> None:
    found = removed(INSTALLED, purge=True)
    gone = {step.path for step in found if isinstance(step, Remove)}
    assert {MACHINE.config.parent, MACHINE.state, MACHINE.backups} <= gone
    assert found[-1] == RemoveUser("phonegate")


def test_nothing_of_others_is_removed() -> None:
    assert removed(Present(command="another program"), purge=True) == []
    with pytest.raises(Failure, match="was not made by this command"):
        removed(Present(unit="[Service]"), purge=True)
    with pytest.raises(Failure, match="apt remove"):
        removed(Present(packaged=True), purge=True)


@given(st.booleans(), st.booleans(), st.booleans(), st.sampled_from([None, MADE, "another"]))
def test_every_plan_ends_with_a_running_service(
    user: bool,  # noqa: FBT001
    config: bool,  # noqa: FBT001
    same: bool,  # noqa: FBT001
    command: str | None,
) -> None:
    found = steps(Present(user=user, config=config, same_program=same, command=command))
    assert found[-len(RESTART) :] == RESTART
    assert (MACHINE.config in written(found)) is not config
    assert all(step.sentence for step in found)
