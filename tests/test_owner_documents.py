"""The commands by which an owner manages orgs and keys work as the documents print them.

They are run one after the other, in the process of the test, on a database that is not served.
"""

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from kit.gateway import GatewayProcess
from phonegate.cli import group
from tests.test_documents import DOCS, blocks, run_curls

SECURITY = (DOCS / "security.md").read_text()
AGENTS = (DOCS / "agents.md").read_text()
README = (DOCS.parent / "README.md").read_text()


def run(line: str, **replaced: str) -> str:
    """Runs a command as printed, with other values in place of some; what it printed."""
    words = shlex.split(line, comments=True)
    assert words.pop(0) == "phonegate"
    done = CliRunner().invoke(group, [replaced.get(word, word) for word in words])
    assert done.exit_code == 0, (line, done.output)
    return done.output


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the owner types."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def key_id(shown: str) -> str:
    found = re.search(r"^id +(\S+)$", shown, re.MULTILINE)
    assert found is not None
    return found[1]


def test_orgs_and_keys_are_made_and_ended_as_printed() -> None:
    (text,) = blocks(SECURITY, "Orgs, secrets and keys", "sh")
    add, agent, pixel, listed, revoke, rotate, options, remove = text.splitlines()
    run(add)
    made = key_id(run(agent))
    assert "phone" in run(pixel)
    assert {"agent", "pixel"} <= set(run(listed).split())
    run(revoke, k3v9=made)
    assert "agent" not in run(listed).split()
    assert "secret" in run(rotate)
    assert "DE" in run(options)
    run(f"{remove.partition('#')[0]} --yes")
    assert "myorg" not in run("phonegate org list")


def test_the_rule_of_registration_is_changed_as_printed() -> None:
    (text,) = blocks(SECURITY, "Who may make an org", "sh")
    show, *change = text.splitlines()
    for line in change:
        run(line)
        assert run(show).startswith(shlex.split(line, comments=True)[2])


def test_a_key_is_limited_as_printed() -> None:
    commands, _ = blocks(AGENTS, "Limits", "sh")
    run("phonegate org add myorg")
    add, *limits = [line for line in commands.splitlines() if line.startswith("phonegate key")]
    made = key_id(run(add))
    for line in limits:
        run(line, k3v9=made)
    shown = run("phonegate key list myorg")
    assert "22:00-07:00" in shown
    assert "hold" in shown


def test_the_first_message_of_the_readme_is_sent_as_printed(folder: Path) -> None:
    block = blocks(README, "The first message", "sh")[1]
    add, send = block.splitlines()
    run("phonegate org add myorg")
    with GatewayProcess(folder / "phonegate.db") as gateway:
        (key,) = re.findall(r"^key +(pgk_\S+)$", run(add), re.MULTILINE)
        (sent,) = run_curls(send.replace("YOUR_API_KEY", key) + "\n#", gateway)
    assert sent["ok"] is True
    assert sent["results"][0]["status"] == "queued"
