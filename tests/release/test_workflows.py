"""The workflows and forms of the repository's host: they parse, and what they run exists."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from phonegate.cli import group
from release.__main__ import parser
from tests.patience import PATIENCE_S

ROOT = Path(__file__).parent.parent.parent
HOST = ROOT / ".github"
WORKFLOWS = sorted((HOST / "workflows").glob("*.yml"))
FORMS = sorted(path for path in (HOST / "ISSUE_TEMPLATE").glob("*.yml") if path.stem != "config")

PINNED = re.compile(r"uses: [\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")


def jobs(path: Path) -> dict[str, Any]:
    workflow = yaml.safe_load(path.read_text())
    assert workflow["permissions"] == {}, "each job says what it may"
    found: dict[str, Any] = workflow["jobs"]
    return found


def scripts(path: Path) -> Iterator[str]:
    for job in jobs(path).values():
        for step in job.get("steps", []):
            if "run" in step:
                yield step["run"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_each_job_has_an_end_and_its_own_permissions(path: Path) -> None:
    for name, job in jobs(path).items():
        assert "permissions" in job, name
        assert "uses" in job or job["timeout-minutes"] <= 60, name


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_of_others_are_pinned_by_their_commit(path: Path) -> None:
    """A tag can be moved to other code by its owner, or by a thief of their account."""
    used = [line for line in path.read_text().splitlines() if re.search(r"\buses: [^.]", line)]
    assert used
    assert [line for line in used if not PINNED.search(line)] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_shell_can_read_the_steps_and_gets_no_text_of_others(path: Path) -> None:
    for script in scripts(path):
        subprocess.run(["bash", "-n", "-c", script], check=True, timeout=PATIENCE_S)
        assert "${{" not in script, "what others wrote would be run; pass it as a variable"


def test_the_checks_are_those_of_ci_run() -> None:
    assert "bash .ci/run" in list(scripts(HOST / "workflows" / "check.yml"))
    assert jobs(HOST / "workflows" / "release.yml")["check"]["uses"] == (
        "./.github/workflows/check.yml"
    )


def test_a_release_is_built_by_the_command_that_there_is() -> None:
    commands = [s for s in scripts(HOST / "workflows" / "release.yml") if "-m release" in s]
    assert commands
    for command in commands:
        words = command.replace('"$GITHUB_REF_NAME"', "v1.2.0").split()
        options = parser().parse_args(words[words.index("release") + 1 :])
        assert options.tag == "v1.2.0"


def test_what_is_published_waits_for_the_checks_and_for_two_equal_builds() -> None:
    found = jobs(HOST / "workflows" / "release.yml")
    assert set(found["publish"]["needs"]) == {"check", "build"}
    assert all(found[job]["needs"] == "publish" for job in ("pypi", "image"))


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_a_form_has_fields_of_kinds_that_there_are(path: Path) -> None:
    form = yaml.safe_load(path.read_text())
    assert {"name", "description", "labels", "body"} <= form.keys()
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert len({field["id"] for field in fields}) == len(fields)
    for field in fields:
        assert field["type"] in {"input", "textarea", "dropdown", "checkboxes"}
        assert field["attributes"]["label"]
        assert ("options" in field["attributes"]) == (field["type"] in {"dropdown", "checkboxes"})


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_a_form_asks_for_commands_that_there_are(path: Path) -> None:
    named = re.findall(r"\bphonegate (version|check|phones)\b", path.read_text())
    assert set(named) <= set(group.list_commands(click.Context(group)))


def test_a_report_of_a_fault_asks_for_version_and_check() -> None:
    text = (HOST / "ISSUE_TEMPLATE" / "bug.yml").read_text()
    assert "output of phonegate version" in text
    assert "output of phonegate check" in text
