"""What the Dockerfile says fits the program. That it builds and runs is for trials/image.py."""

import re
import tomllib

import pytest
from click.testing import CliRunner

from phonegate.cli import group, health
from phonegate.cli.service.unit import STOP_S
from phonegate.config import reader
from phonegate.config.settings import HttpSettings
from tests.deploy.instructions import (
    ROOT,
    command,
    final_stage,
    instructions,
    labels,
    only,
    variables,
)

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_every_setting_that_the_image_makes_is_one_and_its_database_is_in_the_volume() -> None:
    noticed: list[object] = []
    settings = reader.load(environ=variables(), warn=noticed.append)
    assert not noticed
    assert settings.database.path == f"{only('VOLUME')}/phonegate.db"
    # Behind a port that an engine passes on, addresses prove nothing.
    assert settings.orgs.registration == "closed"
    # Where a gateway.toml is looked for.
    assert only("WORKDIR") == only("VOLUME")


def test_the_gateway_runs_as_the_user_who_owns_the_volume_and_as_no_other() -> None:
    user, group_id = map(int, only("USER").split(":"))
    assert min(user, group_id) >= 1000
    made = " ".join(words for name, words in final_stage() if name == "RUN")
    assert f"-m 0700 -o {user} -g {group_id} {only('VOLUME')}" in made
    # What runs as root is before.
    names = [name for name, _ in final_stage()]
    assert "RUN" not in names[names.index("USER") :]


def test_the_port_is_the_one_that_the_gateway_listens_on_by_default() -> None:
    assert [only("EXPOSE")] == [bind.rpartition(":")[2] for bind in HttpSettings().bind]


def test_the_commands_of_the_image_exist() -> None:
    program = command("ENTRYPOINT")
    assert program == list(PROJECT["scripts"])
    check = only("HEALTHCHECK").partition(" CMD ")[2]
    assert check == '["phonegate", "health"]'
    for words in (command("CMD"), ["health"], ["setup"]):
        assert CliRunner().invoke(group, [*words, "--help"]).exit_code == 0


def test_a_check_of_health_may_take_as_long_as_it_takes_at_most() -> None:
    (timeout_s,) = re.findall(r"--timeout=(\d+)s", only("HEALTHCHECK"))
    assert int(timeout_s) > health.DEADLINE_S


def test_the_image_stops_by_the_signal_that_drains() -> None:
    assert only("STOPSIGNAL") == "SIGTERM"
    assert f"--stop-timeout {STOP_S})" in (ROOT / "Dockerfile").read_text()


def test_the_labels_are_those_of_the_project() -> None:
    found = labels()
    assert found["org.opencontainers.image.title"] == PROJECT["name"]
    assert found["org.opencontainers.image.description"] == PROJECT["description"]
    assert (ROOT / "LICENSE").read_text().startswith(found["org.opencontainers.image.licenses"])


def test_the_base_is_pinned_to_a_python_that_the_project_takes() -> None:
    (base,) = (words for name, words in instructions() if name == "ARG" and "BASE" in words)
    (version,) = re.findall(r"/python:3\.(\d+)-slim-[a-z]+$", base)
    (oldest,) = re.findall(r"^>=3\.(\d+)$", PROJECT["requires-python"])
    assert int(version) >= int(oldest)


def test_only_what_is_copied_is_sent_to_the_builder() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if not line.startswith("#")]
    assert rules[0] == "*"
    sent = {rule.removeprefix("!") for rule in rules if rule.startswith("!")}
    copied = {
        source.rstrip("/")
        for name, words in instructions()
        if name == "COPY" and not words.startswith("--from")
        for source in words.split()[:-1]
    }
    assert sent == copied
    assert all((ROOT / source).exists() for source in sent)


def test_all_that_the_wheel_is_made_of_is_copied() -> None:
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    made_of = {
        *("pyproject.toml", PROJECT["readme"], *PROJECT["license-files"]),
        *wheel["targets"]["wheel"]["packages"],
        *wheel["targets"]["wheel"]["extra-metadata"],
    }
    copied = " ".join(words for name, words in instructions() if name == "COPY").split()
    assert made_of <= set(copied)


@pytest.mark.parametrize("extra", ["apprise", "telnyx"])
def test_the_extras_that_are_named_are_some(extra: str) -> None:
    assert extra in (ROOT / "Dockerfile").read_text()
    assert extra in PROJECT["optional-dependencies"]
