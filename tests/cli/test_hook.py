"""`phonegate hook`, on a database that no gateway serves."""

import io
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from kit.gateway import GatewayProcess
from phonegate.cli import main

Output = pytest.CaptureFixture[str]

HIDDEN = "hunter2-hunter2-9f3a"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith("PHONEGATE_"):
            monkeypatch.delenv(name)
    assert main(["org", "add", "myorg"]) == 0
    capsys.readouterr()


def shown(capsys: Output, *words: str) -> str:
    assert main(["hook", *words]) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def as_json(capsys: Output, *words: str) -> Any:
    return json.loads(shown(capsys, *words, "--json"))


def refused(capsys: Output, *words: str, code: int = 1) -> str:
    assert main(["hook", *words]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err


def test_a_hook_is_added_listed_rotated_and_removed(
    capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHONEGATE_SECRET", HIDDEN)
    verified = ("--verify", "hmac", "--secret-from", "environment")
    added = shown(capsys, "add", "myorg", "grafana", "--to", "+15553334444", *verified)
    id_, url = added.splitlines()
    assert id_ == "id   1"
    assert re.fullmatch(r"url  http://[0-9.]+:8080/hooks/pgh_\w+", url)
    listed = shown(capsys, "list", "myorg")
    for text in ("Grafana", "hmac", "not called yet"):
        assert text in listed
    (hook,) = as_json(capsys, "list", "myorg")["hooks"]
    assert hook["mapping"]["to"] == ["+15553334444"]
    assert hook["verification"]["header"] == "X-Grafana-Alerting-Signature"
    for text in (listed, str(hook)):
        assert HIDDEN not in text
        assert "pgh_" not in text
    assert as_json(capsys, "rotate", "myorg", "1")["url"] not in url
    assert shown(capsys, "remove", "myorg", "1") == "Removed 1.\n"
    assert as_json(capsys, "list", "myorg") == {"hooks": []}
    assert "No such hook" in refused(capsys, "remove", "myorg", "1")


def test_one_s_own_mapping_begins_with_json(capsys: Output) -> None:
    words = ("--to", "{phone | plus}", "--text", "{note}", "--when", "a == b", "--name", "shop")
    hook = as_json(capsys, "add", "myorg", "json", *words)["hook"]
    assert (hook["name"], hook["mapping"]["when"]) == ("shop", ["a == b"])
    assert (hook["mapping"]["to"], hook["mapping"]["text"]) == (["{phone | plus}"], "{note}")


def test_a_mapping_is_tried_with_its_sample_or_another(
    capsys: Output, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert "alertmanager" in shown(capsys, "ready", "myorg")
    tried = shown(capsys, "try", "myorg", "supabase")
    assert "to        +15553334444" in tried
    assert "  Your code is 561166" in tried
    sample = tmp_path / "sample.json"
    sample.write_text('{"sms": {"otp": "1", "phone": "15556667777"}}')
    words = ("try", "myorg", "supabase", "--sample")
    assert as_json(capsys, *words, str(sample))["to"] == ["+15556667777"]
    monkeypatch.setattr("sys.stdin", io.StringIO(sample.read_text()))
    assert as_json(capsys, *words, "-")["text"] == "Your code is 1"
    held = shown(capsys, "try", "myorg", "supabase", "--when", "sms.otp == 2")
    assert held.startswith("Nothing would be sent.")


def test_what_is_wrong_is_said(capsys: Output, tmp_path: Path) -> None:
    assert "alertmanager" in refused(capsys, "add", "myorg", "nagios", code=2)
    assert "--to" in refused(capsys, "add", "myorg", "grafana", code=2)
    text = refused(capsys, "add", "myorg", "json", "--text", "{")
    assert "mapping.text" in text
    (tmp_path / "sample.json").write_text("{")
    words = ("try", "myorg", "json", "--sample")
    assert "no JSON" in refused(capsys, *words, "sample.json")
    assert "can't be read" in refused(capsys, *words, "nowhere.json")


def test_the_url_of_a_gateway_that_serves_leads_to_it(capsys: Output, tmp_path: Path) -> None:
    with GatewayProcess(tmp_path / "phonegate.db") as gateway:
        added = as_json(capsys, "add", "myorg", "grafana", "--to", "+15553334444")
        assert added["url"].startswith(f"{gateway.url}/hooks/pgh_")
