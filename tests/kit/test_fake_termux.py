"""The fake phone behaves as the sources of Termux:API and Android say that a phone does."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kit.fake_termux import FakeTermux
from tests.patience import PATIENCE_S


@pytest.fixture
def phone(tmp_path: Path) -> FakeTermux:
    return FakeTermux(tmp_path / "phone", row_after_s=0)


def call(phone: FakeTermux, name: str, *arguments: str, text: str = "") -> Any:
    done = subprocess.run(
        [phone.bin / name, *arguments],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if done.stdout else None


def test_a_text_is_trimmed_sent_and_then_in_the_sent_box(phone: FakeTermux) -> None:
    assert call(phone, "termux-sms-send", "-n", "+1,+2", text=" it's\nso \0") is None
    call(phone, "termux-sms-send", "-n", "+3", "as", "words")
    assert [(one.to, one.body) for one in phone.air()] == [
        ("+1", "it's\nso"),
        ("+2", "it's\nso"),
        ("+3", "as words"),
    ]
    rows = call(phone, "termux-sms-list", "-t", "sent", "-l", "2", "--message-sort-order=_id DESC")
    # The two that come first in that order, the first last.
    assert [row["address"] for row in rows] == ["+2", "+3"]
    condition = "--message-selection=creator == 'com.termux.api' AND sub_id == 1"
    assert len(call(phone, "termux-sms-list", condition)) == 3
    assert "creator" not in rows[0]


def test_a_slot_without_a_sim_sends_nothing_and_says_nothing(phone: FakeTermux) -> None:
    assert call(phone, "termux-sms-send", "-n", "+1", "-s", "1", text="hi") is None
    assert phone.air() == []


def test_a_failed_text_can_not_be_seen(phone: FakeTermux) -> None:
    phone.set(radio_fails=True)
    call(phone, "termux-sms-send", "-n", "+1", text="hi")
    assert call(phone, "termux-sms-list") == []


def test_a_subquery_is_refused(phone: FakeTermux) -> None:
    phone.receive("+1", "hi")
    assert call(phone, "termux-sms-list", "--message-selection=_id = (SELECT 1)") is None


def test_the_number_of_the_newest_row_comes_again_after_its_deletion(phone: FakeTermux) -> None:
    assert [phone.receive("+1", "a"), phone.receive("+1", "b")] == [1, 2]
    phone.delete(2)
    assert phone.receive("+1", "c") == 2
    phone.delete()
    assert phone.receive("+1", "d") == 1


def test_a_missing_permission_ends_with_0(phone: FakeTermux) -> None:
    phone.set(denied=["READ_SMS"])
    said = call(phone, "termux-sms-list")
    assert said["error"].endswith("android.permission.READ_SMS")


def test_a_knob_that_does_not_exist_is_refused(phone: FakeTermux) -> None:
    with pytest.raises(TypeError, match="no such knob: hangs"):
        phone.set(hangs=True)


def test_people_can_make_a_phone(tmp_path: Path) -> None:
    def run(*words: str) -> str:
        return subprocess.run(
            [sys.executable, "-m", "kit.fake_termux", *words],
            capture_output=True,
            text=True,
            check=True,
            timeout=PATIENCE_S,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
        ).stdout

    folder = str(tmp_path / "mine")
    assert f'PATH="{folder}/bin:$PATH" phonegate phone --termux' in run("make", folder)
    assert run("receive", folder, "+1", "hi") == "1\n"
    assert FakeTermux(tmp_path / "mine").calls() == []
