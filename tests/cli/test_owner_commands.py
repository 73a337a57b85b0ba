"""org, key, backup and check, on the file of a gateway that is not running."""

import io
import json
import os
import re
import socket
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest
import trustme

from kit.gateway import GatewayProcess
from phonegate.cli import main, owner
from phonegate.cli.exposure import exposures
from phonegate.config.reader import load
from phonegate.config.setting_texts import example
from phonegate.model.storage_errors import DatabaseBusy
from phonegate.operations import offline

Output = pytest.CaptureFixture[str]
TOKEN = "0123456789abcdefghij"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith("PHONEGATE_"):
            monkeypatch.delenv(name)


def told(capsys: Output, *words: str) -> str:
    assert main(words) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def test_orgs(capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    made = json.loads(told(capsys, "org", "add", "myorg", "--json"))
    assert len(made["secret"]) >= 12
    assert main(["org", "add", "myorg"]) == 1
    assert "already" in capsys.readouterr().err
    assert told(capsys, "org", "list").splitlines()[1].startswith("myorg  20")
    rotated = told(capsys, "org", "rotate", "myorg")
    assert "secret  " in rotated
    assert made["secret"] not in rotated

    monkeypatch.setenv("PHONEGATE_SECRET", "from-the-environment")
    output = told(capsys, "org", "rotate", "myorg", "--secret-from", "environment")
    assert "from-the-environment" not in output
    monkeypatch.setattr(sys, "stdin", io.StringIO("from-standard-input\n"))
    told(capsys, "org", "rotate", "myorg", "--secret-from", "stdin")
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert main(["org", "rotate", "myorg", "--secret-from", "stdin"]) == 1
    assert "no secret in standard input" in capsys.readouterr().err
    monkeypatch.setattr(sys, "stdin", io.StringIO("short\n"))
    assert main(["org", "rotate", "myorg", "--secret-from", "stdin"]) == 1
    assert "short" not in capsys.readouterr().err

    told(capsys, "key", "add", "myorg", "billing")
    told(capsys, "webhook", "add", "myorg", "https://example.org/sms")
    assert main(["org", "rotate", "myorg"]) == 0
    assert "These API keys of myorg go on" in (err := capsys.readouterr().err)
    assert err.splitlines()[-3].endswith("  billing")
    assert "webhook remove myorg ID" in err.splitlines()[-2]
    assert err.splitlines()[-1].endswith("  https://example.org/sms")
    monkeypatch.setenv("PHONEGATE_SECRET", "my-secret-key-123")
    assert main(["org", "rotate", "myorg", "--secret-from", "environment"]) == 0
    assert "Everybody has this secret" in capsys.readouterr().err

    assert told(capsys, "org", "remove", "myorg", "--yes") == "Removed myorg.\n"
    assert json.loads(told(capsys, "org", "list", "--json")) == {"orgs": []}


def test_the_options_of_an_org(capsys: Output) -> None:
    told(capsys, "org", "add", "myorg")
    lines = told(capsys, "org", "list").splitlines()
    assert lines[0].split() == ["org", "created", "country", "characters", "account", "sid"]
    assert lines[1].split()[-2:] == ["1600", "AC00000000000000000000000000000001"]
    chosen = ("--default-country", "de", "--max-characters", "5000")
    shown = told(capsys, "org", "set", "myorg", *chosen)
    assert [line.split() for line in shown.splitlines()] == [
        ["org", "myorg"],
        ["country", "DE"],
        ["characters", "5000"],
    ]
    assert told(capsys, "org", "list").splitlines()[1].split()[-3:-1] == ["DE", "5000"]
    cleared = told(capsys, "org", "set", "myorg", "--default-country", "none", "--json")
    assert json.loads(cleared)["default_country"] is None
    assert json.loads(cleared)["max_characters"] == 5000
    for wrong, words in (
        (("--default-country", "Germany"), "must be a country in the two letters of ISO 3166"),
        (("--default-country", "UK"), "must be GB"),
        (("--max-characters", "39016"), "must be at most 39015"),
    ):
        assert main(["org", "set", "myorg", *wrong]) == 1
        assert words in capsys.readouterr().err
    assert main(["org", "set", "myorg"]) == 2
    assert "--default-country, --max-characters or both" in capsys.readouterr().err
    assert main(["org", "set", "other", "--max-characters", "5"]) == 1
    assert "no org named other" in capsys.readouterr().err


def test_a_gateway_that_is_starting_is_waited_for(
    capsys: Output, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told(capsys, "org", "add", "myorg")
    before = offline.carry_out
    tries = []

    def carry_out(*given: Any) -> dict[str, Any]:
        tries.append(given)
        if len(tries) < 3:
            raise DatabaseBusy(tmp_path / "phonegate.db", 7)
        return before(*given)

    monkeypatch.setattr(offline, "carry_out", carry_out)
    monkeypatch.setattr(owner, "AGAIN_S", 0.001)
    told(capsys, "org", "add", "second")
    assert len(tries) == 3
    tries.clear()
    monkeypatch.setattr(owner, "START_S", 0)
    assert main(["org", "add", "third"]) == 1
    assert "(process 7) is using this database" in capsys.readouterr().err
    assert len(tries) == 1


def test_check_asks_for_the_modem(
    capsys: Output, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path / 'none'}")
    assert " modem: " not in told(capsys, "check")
    Path("gateway.toml").write_text('[modem]\nenabled = true\norg = "myorg"\n')
    assert "note   modem: There is no connection to the system's message bus" in told(
        capsys, "check"
    )


def test_removing_asks_first(capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    told(capsys, "org", "add", "myorg")
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    assert main(["org", "remove", "myorg"]) == 1
    capsys.readouterr()
    assert "myorg" in told(capsys, "org", "list")
    assert main(["org", "remove", "nope"]) == 1
    error = capsys.readouterr().err
    assert "Remove nope" not in error
    assert "nope" in error


def test_keys(capsys: Output) -> None:
    told(capsys, "org", "add", "myorg")
    words = ("key", "add", "myorg", "reader", "--scope", "read", "--json")
    key = json.loads(told(capsys, *words))
    assert key["key"].startswith("pgk_")
    assert key["scopes"] == ["read"]
    listed = told(capsys, "key", "list", "myorg")
    assert key["id"] in listed
    assert key["key"] not in listed
    assert told(capsys, "key", "revoke", "myorg", key["id"]) == f"Revoked {key['id']}.\n"
    assert main(["key", "revoke", "myorg", key["id"]]) == 1
    assert main(["key", "add", "myorg", "x", "--scope", "everything"]) == 2
    phone = json.loads(told(capsys, "key", "add", "myorg", "p", "--scope", "phone", "--json"))
    assert phone["scopes"] == ["phone"]
    kept = told(capsys, "key", "revoke", "myorg", phone["id"], "--keep-queued")
    assert kept == f"Revoked {phone['id']}.\n"


def test_keys_with_limits(capsys: Output) -> None:
    told(capsys, "org", "add", "myorg")

    def limits() -> object:
        return json.loads(told(capsys, "key", "list", "myorg", "--json"))["keys"][0]["limits"]

    words = "--to +1555* --to 911 --per-hour 10 --quiet 22:00-07:00 --zone Europe/Berlin --hold"
    words += " --from +1555* --codes hidden"
    key = json.loads(told(capsys, "key", "add", "myorg", "agent", *words.split(), "--json"))
    assert key["scopes"] == ["send", "read"]
    full = {
        "to": ["+1555*", "911"],
        "per_hour": 10,
        "per_day": None,
        "quiet_hours": {"hours": "22:00-07:00", "zone": "Europe/Berlin"},
        "hold": True,
        "from": ["+1555*"],
        "codes": "hidden",
    }
    assert key["limits"] == limits() == full
    in_words = "to +1555* 911, 10 an hour, quiet 22:00-07:00 Europe/Berlin, hold"
    in_words += ", from +1555*, codes hidden"
    assert in_words in told(capsys, "key", "list", "myorg")
    # What is not named stays.
    limit = ("key", "limit", "myorg", key["id"])
    assert "50 a day" in told(capsys, *limit, "--per-day", "50", "--lift", "quiet")
    assert limits() == full | {"per_day": 50, "quiet_hours": None}
    told(capsys, "key", "hold", "myorg", key["id"], "--off")
    assert limits() == full | {"per_day": 50, "quiet_hours": None, "hold": False}
    told(capsys, *limit, "--lift", "codes", "--from", "+49*")
    assert limits() == full | {
        "per_day": 50,
        "quiet_hours": None,
        "hold": False,
        "from": ["+49*"],
        "codes": None,
    }
    told(capsys, "key", "hold", "myorg", key["id"])
    assert "no limits" in told(capsys, *limit, "--lift", "all")
    assert limits() is None
    for wrong in ([], ["--quiet", "22:00-07:00"], ["--per-hour", "0"], ["--lift", "everything"]):
        assert main([*limit, *wrong]) == 2, wrong
    for wrong in (
        ["--to", "everybody"],
        ["--from", "1*"],
        ["--quiet", "22:00-22:00", "--zone", "UTC"],
        ["--quiet", "22:00-07:00", "--zone", "Mars/Base"],
    ):
        assert main([*limit, *wrong]) == 1, wrong
    assert "Europe/Berlin" in capsys.readouterr().err
    assert limits() is None
    assert main(["key", "add", "myorg", "boss", "--scope", "manage", "--hold"]) == 1
    told_why = "phonegate: scopes can't hold manage for a key with limits.\n"
    assert capsys.readouterr().err == told_why
    assert main(["key", "limit", "myorg", "nosuchid", "--per-hour", "1"]) == 1
    shown = told(capsys, "key", "add", "myorg", "second", "--per-day", "3")
    assert "limits  3 a day" in shown


def test_backup(capsys: Output) -> None:
    told(capsys, "org", "add", "myorg")
    told(capsys, "backup", "copy.db")
    with sqlite3.connect("copy.db") as copy:
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    copy.close()
    assert main(["backup", "copy.db"]) == 1
    assert "copy.db: there is something" in capsys.readouterr().err
    assert main(["backup", "no/such/folder/copy.db"]) == 1
    capsys.readouterr()
    assert main(["backup", "nofolder/"]) == 2
    assert "nofolder/ is no folder" in capsys.readouterr().err
    assert not Path("nofolder").exists()


def test_backup_into_a_folder_keeps_the_newest(capsys: Output) -> None:
    told(capsys, "org", "add", "myorg")
    Path("copies").mkdir()
    older = [Path(f"copies/phonegate-2020010{day}T000000Z.db") for day in (1, 2, 3)]
    for path in older:
        path.touch()
    shown = told(capsys, "backup", "--keep", "2", "copies")
    made, *removed = shown.splitlines()
    assert re.search(r"copies/phonegate-20\d{6}T\d{6}Z\.db  \d", made)
    assert [line.endswith("removed") for line in removed] == [True, True]
    assert [path.exists() for path in older] == [False, False, True]
    assert len(list(Path("copies").iterdir())) == 2
    assert main(["backup", "--keep", "2", "no-folder"]) == 2
    assert "--keep needs one that is there" in capsys.readouterr().err


def test_check_changes_nothing_and_says_what_is_fine(capsys: Output) -> None:
    output = told(capsys, "check", "--database", "new.db")
    assert "will be made at the first start" in output
    assert "every default" in output
    assert list(Path().iterdir()) == []


def test_every_wrong_field_is_told_once(capsys: Output, tmp_path: Path) -> None:
    told(capsys, "org", "add", "myorg")
    words = [
        "key",
        "add",
        "myorg",
        "x",
        "--to",
        "nobody",
        "--quiet",
        "25:00",
        "--zone",
        "Mars/Base",
    ]
    assert main(words) == 1
    alone = capsys.readouterr().err
    with GatewayProcess(tmp_path / "phonegate.db"):
        assert main(words) == 1
    assert capsys.readouterr().err == alone
    assert "more in errors" not in alone
    first, *others = alone.splitlines()
    assert first.startswith("phonegate: to[0] must be a number")
    assert [line.split(":")[0].strip() for line in others] == [
        *("quiet_hours.hours", "quiet_hours.zone")
    ]


def test_a_foreign_variable_is_a_warning(capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHONEGATE_DATABASE_PAHT", "other.db")
    monkeypatch.setenv("PHONEGATE_KEY", "pgk_x")
    monkeypatch.setenv("PHONEGATE_HTTP_PUBLIC_URL", "")
    told_there = "PHONEGATE_DATABASE_PAHT (environment): there is no such setting; did you mean"
    output = told(capsys, "check")
    assert f"note   configuration: {told_there} PHONEGATE_DATABASE_PATH?" in output
    assert main(["org", "add", "myorg"]) == 0
    assert f"phonegate: warning: {told_there}" in capsys.readouterr().err


def test_check_prints_the_example(capsys: Output) -> None:
    assert told(capsys, "check", "--example") == example()


def test_check_tells_every_fault_of_the_configuration(capsys: Output) -> None:
    Path("gateway.toml").write_text("[http]\nbnd = 1\ndrain_s = -1\n")
    assert main(["check"]) == 1
    output = capsys.readouterr().out
    assert output.count("FAULT") == 2


def test_check_tells_every_fault_of_the_machine(capsys: Output) -> None:
    Path("not.db").write_text("this is a diary")
    Path("chain.pem").write_text("no certificate")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        Path("gateway.toml").write_text(
            f'[operator]\nbind = "127.0.0.1:{port}"\n[http]\nbind = ["127.0.0.1:0"]\n'
            '[database]\npath = "not.db"\n'
            '[tls]\ncertificate = "chain.pem"\nkey = "missing.pem"\n'
        )
        Path("gateway.toml").chmod(0o666)
        assert main(["check"]) == 1
    captured = capsys.readouterr()
    faults = [line for line in captured.out.splitlines() if line.startswith("FAULT")]
    assert [fault.split()[1] for fault in faults] == ["database:", "TLS:", "address:"]
    assert "not.db: this is not a database" in captured.out
    assert "Choose another address or port in [operator] bind." in captured.out
    assert "gateway.toml can be changed by others" in captured.out
    assert captured.err == "3 faults.\n"
    assert Path("not.db").read_text() == "this is a diary"


def test_check_notes_callbacks_that_nothing_proves(capsys: Output) -> None:
    account = '[[assistants]]\norg = "myorg"\nname = "{}"\nprovider = "telnyx"\n'
    numbers = 'phone_numbers = ["+1555{}"]\napi_key = "KEY0123456789"\n'
    key = 'public_key = "e5cAArZTqWGQwnCPbXmmXBBWsBZSiZbVqwzTrRRCy+0="\n'
    Path("gateway.toml").write_text(
        account.format("bare")
        + numbers.format("1112222")
        + account.format("signed")
        + numbers.format("3334444")
        + key
    )
    Path("gateway.toml").chmod(0o600)
    output = told(capsys, "check")
    assert "bare of myorg: without public_key" in output
    assert "signed of myorg" not in output


def test_check_notes_orgs_that_are_named_and_missing(capsys: Output) -> None:
    Path("gateway.toml").write_text(
        '[alarms]\nnotify = ["sms:home:+15551112222", "sms:home:+15553334444"]\n'
    )
    missing = (
        "note   alarms: there is no org home, so no alarm reaches the target sms:home: "
        "`phonegate org add home` makes it"
    )
    assert told(capsys, "check").count(missing) == 1
    assert main(["org", "add", "home"]) == 0
    capsys.readouterr()
    assert "there is no org" not in told(capsys, "check")


def test_check_takes_a_good_certificate(capsys: Output) -> None:
    authority = trustme.CA()
    leaf = authority.issue_cert("sms.example.org")
    leaf.private_key_pem.write_to_path("key.pem")
    leaf.cert_chain_pems[0].write_to_path("chain.pem")
    Path("key.pem").chmod(0o644)
    Path("gateway.toml").write_text('[tls]\ncertificate = "chain.pem"\nkey = "key.pem"\n')
    output = told(capsys, "check", "--config", "gateway.toml")
    assert "fit each other" in output
    assert output.count("key.pem can be read by others") == 1
    # serve says it as well, in its log.
    configuration = Path("gateway.toml")
    notes = [finding.text for finding in exposures(load(configuration, {}), configuration)]
    assert notes == ["key.pem can be read by others: chmod 600 it"]


@pytest.mark.parametrize(
    ("text", "mode", "note"),
    [
        (
            '[operator]\ntoken = "0123456789abcdefghij"\n',
            0o644,
            "holds the operator's token and can",
        ),
        ('[operator]\ntoken = "0123456789abcdefghij"\n', 0o600, None),
        ("[http]\ndrain_s = 1\n", 0o644, None),
        (
            '[carriers]\ntwilio_url = "http://192.0.2.1:8000"\n',
            0o600,
            "twilio_url is not encrypted",
        ),
        ('[carriers]\ntelnyx_url = "http://127.0.0.1:8000"\n', 0o600, None),
        ('[carriers]\ntelnyx_url = "http://localhost:8000"\n', 0o600, None),
    ],
)
def test_check_and_serve_name_what_lies_open(
    capsys: Output, text: str, mode: int, note: str | None
) -> None:
    path = Path("gateway.toml")
    path.write_text(text)
    path.chmod(mode)
    output = told(capsys, "check")
    notes = [finding.text for finding in exposures(load(path, {}), path)]
    if note is None:
        assert notes == []
    else:
        assert note in notes[0]
        assert notes[0] in output


def test_registration(capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(capsys, "registration").startswith("local (set by the default)\n")
    assert told(capsys, "registration", "closed").startswith("closed (set by phonegate registr")
    assert told(capsys, "registration", "close").startswith("closed (set by phonegate registr")
    assert json.loads(told(capsys, "registration", "--json")) == {
        "registration": "closed",
        "source": "phonegate registration",
    }
    assert main(["registration", "half"]) == 2
    capsys.readouterr()
    Path("gateway.toml").write_text('[orgs]\nregistration = "open"\n')
    assert told(capsys, "registration").startswith("open (set by file gateway.toml)\n")
    assert main(["registration", "local"]) == 1
    assert "is set by file gateway.toml, which wins" in capsys.readouterr().err
    monkeypatch.setenv("PHONEGATE_ORGS_REGISTRATION", "local")
    variable = "environment variable PHONEGATE_ORGS_REGISTRATION"
    assert told(capsys, "registration").startswith(f"local (set by {variable})\n")


def test_check_notes_who_may_come_in(capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("gateway.toml").write_text('[http]\nbind = ["0.0.0.0:0"]\n')
    assert "ok     registration: local (the default)" in told(capsys, "check")
    told(capsys, "registration", "open")
    monkeypatch.setenv("PHONEGATE_SECRET", "my-secret-key-123")
    told(capsys, "org", "add", "myorg", "--secret-from", "environment")
    before = {path: path.read_bytes() for path in Path().iterdir()}
    noted = told(capsys, "check")
    assert (
        "note   registration: open (phonegate registration), so every caller who reaches 0.0.0.0"
        in noted
    )
    assert "note   secret: that of myorg stands in the documents" in noted
    assert {path: path.read_bytes() for path in Path().iterdir()} == before
    Path("gateway.toml").write_text(
        '[http]\nbind = ["127.0.0.1:0"]\npublic_url = "https://sms.example.org"\n'
    )
    noted = told(capsys, "check")
    assert "ok     registration: open" in noted
    assert "trusted_proxies does not name it" in noted


def test_alarms_are_asked_of_a_gateway_that_serves(capsys: Output) -> None:
    for command in ("list", "test"):
        assert main(["alarms", command]) == 1
        assert "phonegate: " in capsys.readouterr().err
    with GatewayProcess(Path("phonegate.db").absolute()):
        assert told(capsys, "alarms", "list") == "No alarm is on.\n"
        assert main(["alarms", "test"]) == 1
        assert "There is no target" in capsys.readouterr().err
        assert json.loads(told(capsys, "alarms", "list", "--json"))["alarms"] == []


def test_check_names_targets_by_kind_and_host(capsys: Output) -> None:
    path = Path("gateway.toml")
    path.write_text('[alarms]\nnotify = ["webhook:http://a.example/t0ps3cret"]\n')
    path.chmod(0o644)
    output = told(capsys, "check")
    assert "alarms: webhook a.example (`phonegate alarms test` tries them)" in output
    assert "holds targets of alarms and can be read by others" in output
    assert "t0ps3cret" not in output
