"""Recipes with the programs themselves, that others wrote: settings as the page prints them."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from kit.gateway import GatewayProcess
from phonegate.api.table import build_table
from tests.patience import PATIENCE_S
from tests.recipes import monitoring, page
from tests.recipes.recipe import GATEWAY, HOST, KEY, ORG, TO, Way

TEXT = 'Host "db-1" is down & out: 100 % ü 🎉'


@attrs.frozen
class World:
    """A gateway with an org, as the page begins."""

    gateway: GatewayProcess
    folder: Path
    secret: str = attrs.field(repr=False)

    def key(self, *scopes: str) -> str:
        words = [word for scope in scopes for word in ("--scope", scope)]
        made = self.phonegate("key", "add", ORG, "program", *words, "--json")
        key: str = json.loads(made)["key"]
        return key

    def phonegate(self, *words: str) -> str:
        return subprocess.run(
            [sys.executable, "-m", "phonegate", *words],
            cwd=self.folder,
            env={**os.environ, "PHONEGATE_DATABASE_PATH": "x.db"},
            text=True,
            capture_output=True,
            check=True,
            timeout=PATIENCE_S,
        ).stdout

    def newest(self) -> tuple[str, str]:
        """The number and the text of the newest SMS."""
        answer = subprocess.run(
            [
                *("curl", "-sS", "-H", f"X-Secret-Key: {self.secret}"),
                f"{self.gateway.url}/messages/{ORG}?limit=1000",
            ],
            capture_output=True,
            check=True,
            timeout=PATIENCE_S,
        ).stdout
        messages: list[dict[str, Any]] = json.loads(answer)["messages"]
        newest = max(messages, key=lambda one: int(one["id"]))
        return newest["address"], newest["body"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("recipes")
    with GatewayProcess(folder / "x.db") as gateway:
        made = World(gateway, folder, "")
        secret = json.loads(made.phonegate("org", "add", ORG, "--json"))["secret"]
        yield attrs.evolve(made, secret=secret)


def apprise(url: str, text: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [str(Path(sys.executable).with_name("apprise")), "--body", text, url],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
        env={**os.environ, "NO_PROXY": "127.0.0.1"},
    )


SERVED = {one.name for one in build_table().dialects}
OF_APPRISE = [way for way in monitoring.APPRISE.ways if not way.stand_in and way.dialect in SERVED]


@pytest.mark.parametrize("way", OF_APPRISE, ids=lambda way: way.title)
def test_apprise_itself(world: World, way: Way) -> None:
    printed = way.settings["URL"].replace(HOST, f"127.0.0.1:{world.gateway.port}")
    done = apprise(printed.replace(KEY, world.key("send")), TEXT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert world.newest() == (TO, TEXT)
    assert apprise(printed.replace(KEY, "pgk_wrong"), TEXT).returncode == 1


def test_a_hook_is_made_as_printed(world: World) -> None:
    """By the commands of the page, whose mapping has its number already."""
    (commands,) = re.findall(r"^```sh\n(gateway=[^`]*)```$", page.BEGIN, re.MULTILINE)
    commands = commands.replace(GATEWAY, world.gateway.url)
    done = subprocess.run(
        ["bash", "-ec", commands],
        env={**os.environ, "PHONEGATE_SECRET": world.secret},
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_S,
    )
    url = json.loads(done.stdout)["url"]
    assert url.startswith(f"{world.gateway.url}/hooks/")
    alerts = json.dumps(monitoring.alertmanager_alerts(TEXT))
    subprocess.run(
        ["curl", "-sS", "--fail", url, "-H", "Content-Type: application/json", "-d", alerts],
        capture_output=True,
        check=True,
        timeout=PATIENCE_S,
    )
    assert world.newest() == (TO, f"FIRING: Backup\n{TEXT}")


def test_the_commands_about_twilio_work_as_printed(world: World) -> None:
    (command,) = re.findall(r"^```sh\n(curl [^`]*/me)\n```$", page.BEGIN, re.MULTILINE)
    command = command.replace(GATEWAY, world.gateway.url).replace(KEY, world.key("send"))
    done = subprocess.run(
        ["bash", "-c", command.replace("curl", "curl -sS")],
        capture_output=True,
        check=True,
        timeout=PATIENCE_S,
    )
    assert re.fullmatch(r"AC[0-9a-f]{32}", json.loads(done.stdout)["account_sid"])
