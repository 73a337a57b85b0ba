"""`phonegate phone add`: what a person gets to pair a phone, and what they are told without."""

import html
import json
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from kit.gateway import GatewayProcess
from phonegate.cli import main
from tests.cli.pseudo import terminal

Output = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith("PHONEGATE_"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    database = tmp_path_factory.mktemp("gateway") / "phonegate.db"
    with GatewayProcess(database) as process:
        assert main(["org", "add", "myorg", "--database", str(database)]) == 0
        yield process


def words(gateway: GatewayProcess, *more: str, org: str = "myorg") -> list[str]:
    return ["phone", "add", org, "--database", str(gateway.database), *more]


def test_a_phone_gets_an_address_a_key_and_a_link(gateway: GatewayProcess, capsys: Output) -> None:
    assert main(words(gateway, "--name", "kitchen", "--url", f"{gateway.url}/")) == 0
    output, error = capsys.readouterr()
    shown = dict(line.split(maxsplit=1) for line in output.splitlines())
    assert (shown["phone"], shown["address"]) == ("kitchen, of myorg", gateway.url)
    assert "15 minutes" in error
    assert "▀" not in output
    # The key is one of a phone.
    me = httpx.get(
        f"{gateway.url}/me",
        headers={"Authorization": f"Bearer {shown['key']}"},
        trust_env=False,
    ).json()
    assert (me["org_id"], me["scopes"]) == ("myorg", ["phone"])
    assert shown["key"] not in shown["link"]
    page = httpx.get(shown["link"], trust_env=False)
    assert page.status_code == 200
    assert shown["key"] in page.text


def test_the_next_steps_that_the_page_shows_work_as_they_stand(
    gateway: GatewayProcess, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(words(gateway, "--json", "--url", gateway.url)) == 0
    link = json.loads(capsys.readouterr().out)["link"]
    page = html.unescape(httpx.get(link, trust_env=False).text)
    lines = re.findall(r"<code>(?:PHONEGATE_KEY=pgk_KEY )?phonegate (.*)</code></pre>", page)
    make, send, read = map(shlex.split, lines[:3])
    assert main([*make, "--database", str(gateway.database)]) == 0
    output, _ = capsys.readouterr()
    (key,) = re.findall(r"pgk_\S+", output)
    monkeypatch.setenv("PHONEGATE_KEY", key)
    assert main(send) == 0
    assert "queued" in "".join(capsys.readouterr())
    assert main(read) == 0


def test_programs_get_json(gateway: GatewayProcess, capsys: Output) -> None:
    assert main(words(gateway, "--json", "--url", "HTTPS://sms.example.org/x/")) == 0
    made = json.loads(capsys.readouterr().out)
    assert set(made) == {
        *("org", "name", "key_id", "key", "url", "other_urls", "link", "expires_at"),
        "certificate_page",
    }
    assert made["certificate_page"] is None
    assert made["name"] == "phone"
    assert made["link"].startswith("https://sms.example.org/x/pair/")


def test_an_address_that_no_phone_reaches_is_warned_of(
    gateway: GatewayProcess, capsys: Output
) -> None:
    assert main(words(gateway, "--url", gateway.url)) == 0
    output, error = capsys.readouterr()
    assert f"Warning: no phone reaches {gateway.url}" in error
    # Without a name it is not called as its key is.
    assert "phone    one that is called what it says itself, of myorg\n" in output
    assert main(words(gateway, "--url", "http://192.168.1.5:8080")) == 0
    assert "no phone reaches" not in capsys.readouterr().err


def test_a_person_gets_a_code_to_scan(gateway: GatewayProcess) -> None:
    more = ("--url", gateway.url)
    with terminal(*words(gateway, *more)) as shown:
        code, text = shown.rest()
    assert code == 0
    rows = re.findall("\x1b\\[38;5;16m\x1b\\[48;5;231m([ ▀▄█]+)\x1b\\[0m", text)
    assert len(rows) * 2 in range(len(rows[0]), len(rows[0]) + 2)
    with terminal(*words(gateway, *more), NO_COLOR="1") as shown:
        _, text = shown.rest()
    assert "\x1b" not in text
    assert text.count("█" * 20) > 2
    with terminal(*words(gateway, *more, "--no-qr")) as shown:
        _, text = shown.rest()
    assert "█" not in text


@pytest.mark.parametrize(
    ("more", "org", "sentence"),
    [
        ((), "myorg", "listens to this machine alone"),
        (("--url", "http://a"), "nope", "`phonegate org add nope` makes it"),
        (("--url", "ftp://a"), "myorg", "url must be an address such as"),
        (("--url", "http://me@a"), "myorg", "url must be an address such as"),
        (("--url", "http://a", "--name", " "), "myorg", "name must not be empty"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(
    gateway: GatewayProcess, capsys: Output, more: tuple[str, ...], org: str, sentence: str
) -> None:
    assert main(words(gateway, *more, org=org)) == 1
    output, error = capsys.readouterr()
    assert output == ""
    assert sentence in error


def test_without_a_gateway_it_says_what_to_start(capsys: Output) -> None:
    assert main(["phone", "add", "myorg"]) == 1
    assert "phonegate serve" in capsys.readouterr().err


def test_a_person_learns_what_the_phone_has_to_trust(
    gateway: GatewayProcess, capsys: Output
) -> None:
    assert main(["certificate", "--database", str(gateway.database)]) == 0
    capsys.readouterr()
    assert main(words(gateway, "--url", "https://gate.lan:8080")) == 0
    assert "https://gate.lan:8080/certificate tells how" in capsys.readouterr().err
    assert main(words(gateway, "--url", gateway.url)) == 0
    assert "/certificate" not in capsys.readouterr().err
