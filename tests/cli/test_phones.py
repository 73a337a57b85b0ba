"""`phonegate phones`, against prepared answers and on the file of a gateway that is not running."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from phonegate.cli import main
from tests.cli.stub import Fake

Output = pytest.CaptureFixture[str]


def phone(**fields: Any) -> dict[str, Any]:
    return {
        "id": 1,
        "kind": "link",
        "name": "Till\x1b[31m",
        "device_id": "pixel-7",
        "model": None,
        "app": None,
        "online": True,
        "last_seen": "2026-11-21T08:00:00.000Z",
        "battery": 83,
        "charging": True,
        "signal": 3,
        "network": "wifi",
        "sims": [
            {"slot": 0, "number": "+15551112222", "carrier": "AT&T", "given": False},
            {"slot": 1, "number": "+15551113333", "carrier": None, "given": True},
        ],
        "waiting": 2,
        "hint": None,
        **fields,
    }


GONE = {"ok": True, "id": 1, "cancelled": 0, "uncertain": 0, "revoked_key": None}


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[Fake]:
    with Fake().serving() as serving:
        monkeypatch.setenv("PHONEGATE_URL", serving.url)
        monkeypatch.setenv("PHONEGATE_ORG", "myorg")
        monkeypatch.setenv("PHONEGATE_SECRET", "my-secret-key-123")
        yield serving


def listing(*phones: dict[str, Any], unassigned: int = 0) -> tuple[int, dict[str, Any]]:
    found = {"org_id": "myorg", "count": len(phones), "phones": list(phones)}
    return 200, {**found, "unassigned": unassigned}


def test_phones_are_listed(fake: Fake, capsys: Output) -> None:
    away = phone(
        id=2, kind="smsgate", name=None, online=False, battery=None, charging=None, signal=None,
        network=None, sims=[{"slot": 0, "number": None, "carrier": None, "given": False}],
        waiting=0, hint="Choose SSE only.",
    )  # fmt: skip
    fake.answers["/phones/myorg"] = [listing(phone(), away, unassigned=1)]
    assert main(["phones"]) == 0
    head, first, second, hint, rest = capsys.readouterr().out.splitlines()
    assert head.split() == [
        "id", "name", "kind", "seen", "battery", "signal", "network", "SIMs", "waiting",
    ]  # fmt: skip
    assert " ".join(first.split()) == (
        "1 Till�[31m link online 83% charging 3 wifi 0 +15551112222 AT&T, 1 +15551113333 (given) 2"
    )
    assert second.split()[:4] == ["2", "pixel-7", "smsgate", "2026-11-21"]
    assert second.split()[-6:] == ["-", "-", "-", "0", "?", "0"]
    assert hint == "Phone 2: Choose SSE only."
    assert rest == "1 waits for a phone to come online that can send it."
    assert main(["phones", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["phones"][1]["hint"] == "Choose SSE only."
    fake.answers["/phones/myorg"] = [listing(unassigned=2)]
    assert main(["phones"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "No phone has connected yet.",
        "2 wait for a phone to come online that can send it.",
    ]


@pytest.mark.parametrize(
    ("words", "sent", "said"),
    [
        (["name", "1", "Till"], {"name": "Till"}, "Phone 1 is Till�[31m.\n"),
        (["name", "1", "--remove"], {"name": ""}, "Phone 1 is Till�[31m.\n"),
        (
            ["number", "1", "1", "+15551113333"],
            {"sims": [{"slot": 1, "number": "+15551113333"}]},
            "Slot 1 of phone 1 is +15551113333.\n",
        ),
        (
            ["number", "1", "0", "--remove"],
            {"sims": [{"slot": 0, "number": None}]},
            "Slot 0 of phone 1 is +15551112222.\n",
        ),
    ],
)
def test_phones_and_numbers_are_named(
    fake: Fake, capsys: Output, words: list[str], sent: dict[str, Any], said: str
) -> None:
    fake.answers["/phones/myorg/1"] = [(200, {"ok": True, "phone": phone()})]
    assert main(["phones", *words]) == 0
    assert capsys.readouterr().out == said
    ((method, _, headers, body),) = fake.asked
    assert (method, body) == ("PATCH", sent)
    assert headers["X-Secret-Key"] == "my-secret-key-123"


@pytest.mark.parametrize(
    "words",
    [
        ["name", "1"],
        ["name", "1", "x", "--remove"],
        ["name", "0", "x"],
        ["number", "1", "1"],
        ["number", "1", "-1", "+15551113333"],
        ["forget"],
    ],
)
def test_wrong_usage_asks_nothing(fake: Fake, capsys: Output, words: list[str]) -> None:
    assert main(["phones", *words]) == 2
    assert fake.asked == []


def test_a_name_in_place_of_an_id_is_explained(fake: Fake, capsys: Output) -> None:
    assert main(["phones", "name", "kitchen", "x"]) == 2
    assert "first column of `phonegate phones`" in capsys.readouterr().err
    assert fake.asked == []


@pytest.mark.parametrize(
    ("status", "detail", "field", "problem", "said"),
    [
        (
            *(404, "This phone has SIMs in slot 0 only.", "sims[0].slot"),
            *("is that of no SIM of this phone, which has 0", "SIMs in slot 0 only."),
        ),
        (
            *(400, "sims[0].number must be a number.", "sims[0].number"),
            *("must be a number", "NUMBER must be a number."),
        ),
    ],
)
def test_a_refusal_is_in_the_words_of_the_command(
    fake: Fake, capsys: Output, status: int, detail: str, field: str, problem: str, said: str
) -> None:
    answer = {"ok": False, "detail": detail, "errors": [{"field": field, "problem": problem}]}
    fake.answers["/phones/myorg/1"] = [(status, answer)]
    assert main(["phones", "number", "1", "3", "+15551113333"]) == 1
    error = capsys.readouterr().err
    assert said in error
    assert "sims[" not in error


def test_a_phone_is_forgotten_once_a_person_has_agreed(
    fake: Fake, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.answers["/phones/myorg"] = [listing(phone())]
    fake.answers["/phones/myorg/1"] = [
        (200, {**GONE, "cancelled": 2, "uncertain": 1, "revoked_key": "k3v9"}),
        (200, GONE),
    ]
    asked: list[str] = []

    def confirm(text: str, **_: Any) -> None:
        asked.append(text)

    monkeypatch.setattr("click.confirm", confirm)
    assert main(["phones", "forget", "1"]) == 0
    assert asked == ["Forget phone 1 (Till�[31m) and cancel the 2 messages waiting for it?"]
    assert capsys.readouterr().out.splitlines() == [
        "Forgot phone 1.",
        "Messages that are cancelled: 2",
        "Messages that are uncertain: the phone had them and reported no result: 1",
        "Revoked its API key k3v9.",
    ]
    assert [one[0] for one in fake.asked] == ["GET", "DELETE"]
    assert main(["phones", "--url", fake.url, "forget", "1", "--yes"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "Forgot phone 1.",
        "Its credential still works: the org's secret, or a key that is also used elsewhere. "
        "If the phone connects with it again, it is listed as a new phone.",
    ]
    assert len(asked) == 1


def test_without_a_yes_nothing_is_forgotten(fake: Fake, capsys: Output) -> None:
    fake.answers["/phones/myorg"] = [listing(phone(waiting=0))]
    assert main(["phones", "forget", "1"]) == 1
    assert [one[0] for one in fake.asked] == ["GET"]


def test_an_owner_needs_no_secret(
    tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PHONEGATE_SECRET", "PHONEGATE_KEY", "PHONEGATE_ORG"):
        monkeypatch.delenv(name, raising=False)
    file = str(tmp_path / "phonegate.db")
    assert main(["org", "add", "myorg", "--database", file]) == 0
    with sqlite3.connect(file) as connection:
        connection.execute(
            "INSERT INTO phones (org, device_id, first_seen, last_seen) VALUES (1, 'pixel', 1, 1)"
        )
        connection.execute("INSERT INTO sims (phone, slot, org) VALUES (1, 0, 1)")
    connection.close()
    capsys.readouterr()
    local = ["--database", file, "--org", "myorg"]
    assert main(["phones", "name", "1", "Till", *local]) == 0
    assert main(["phones", *local, "number", "1", "0", "+15551113333"]) == 0
    assert main(["phones", *local]) == 0
    assert "0 +15551113333 (given)" in capsys.readouterr().out
    assert main(["phones", "forget", "1", "--yes", *local]) == 0
    capsys.readouterr()
    assert main(["phones", "--json", *local]) == 0
    assert json.loads(capsys.readouterr().out)["phones"] == []
    assert main(["phones", "--database", file]) == 2
    assert main(["phones", "forget", "1", "--yes", *local]) == 1
    assert "No such phone in this org." in capsys.readouterr().err
