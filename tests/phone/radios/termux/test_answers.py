"""What Termux's commands print."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.phone.radios.termux import answers
from phonegate.phone.radios.termux.errors import CommandFailed, PermissionMissing, TermuxError


def test_nothing_and_json_are_values() -> None:
    assert answers.read("x", 0, b"") is None
    assert answers.read("x", 0, b" \n") is None
    assert answers.read("x", 0, b'[{"a": "\xf0\x9f\x8e\x89"}]') == [{"a": "\U0001f389"}]
    assert answers.read("x", 0, b'{"percentage": 3}') == {"percentage": 3}


def test_a_missing_permission_is_named_with_the_way_to_grant_it() -> None:
    said = (
        "Please grant the following permissions to use this command: "
        "android.permission.READ_PHONE_STATE, android.permission.SEND_SMS"
    )
    with pytest.raises(PermissionMissing) as caught:
        answers.read("termux-sms-send", 0, json.dumps({"error": said}).encode())
    names = ("android.permission.READ_PHONE_STATE", "android.permission.SEND_SMS")
    assert caught.value.permissions == names
    for name in names:
        assert f"adb shell pm grant com.termux.api {name}" in str(caught.value)


def test_an_error_with_exit_status_0_is_an_error() -> None:
    with pytest.raises(CommandFailed, match=r"^x failed: no such thing\.$"):
        answers.read("x", 0, b'{"error": "no such thing."}')
    with pytest.raises(CommandFailed, match="x failed: it gave no reason"):
        answers.read("x", 0, b'{"API_ERROR": ""}')


def test_a_failure_says_what_the_command_complained_of() -> None:
    with pytest.raises(CommandFailed, match=r"^x failed: broken \[31m pipe\.$"):
        answers.read("x", 1, b"", b"\n broken\x1b[31m pipe.\nmore")
    with pytest.raises(CommandFailed, match="exit status 3"):
        answers.read("x", 3, b"")
    with pytest.raises(CommandFailed, match="killed by signal 9"):
        answers.read("x", -9, b"", b"half a line")


def test_no_error_quotes_the_output() -> None:
    secret = "the code is 12345"
    for status in (0, 1):
        with pytest.raises(CommandFailed) as caught:
            answers.read("termux-sms-list", status, f'[{{"body": "{secret}'.encode())
        assert secret not in str(caught.value)
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__ or status


@given(status=st.integers(-15, 3), output=st.binary(), complaint=st.binary())
def test_any_output_is_a_value_or_one_line(status: int, output: bytes, complaint: bytes) -> None:
    said = ""
    try:
        answers.read("x", status, output, complaint)
    except TermuxError as error:
        said = str(error)
    assert said.isprintable()
