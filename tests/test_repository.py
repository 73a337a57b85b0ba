"""What the repository promises in its text, held to what it does."""

import re
import subprocess
import tomllib
from pathlib import Path

import phonegate

ROOT = Path(__file__).parent.parent
TEST_COMMAND = "python3 -m venv .venv && .venv/bin/pip install -q -e '.[dev]' && .venv/bin/pytest"


def test_readme_opens_with_the_two_commands_each_one_line() -> None:
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    demo, test = blocks[:2]
    assert demo == (
        "python3 -m venv .venv && .venv/bin/pip install -q . && .venv/bin/phonegate demo\n"
    )
    assert test == f"{TEST_COMMAND}\n"


def test_ci_runs_the_test_command_of_the_readme_and_no_other() -> None:
    script = ROOT / ".ci" / "run"
    lines = script.read_text().splitlines()
    assert script.stat().st_mode & 0o111
    assert lines[-1] == TEST_COMMAND
    assert [line for line in lines if "pytest" in line or "/bin/pip" in line] == [TEST_COMMAND]
    assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0


def test_the_changelog_has_a_place_for_what_comes_and_for_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    assert "## [Unreleased]" in text
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["dynamic"] == ["version"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", phonegate.__version__)
