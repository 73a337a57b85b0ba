"""Notices by Apprise: the real package, to a server on the loopback."""

import importlib.util
import io
import sys
from typing import Any

import pytest
import trio

from kit.receiver import receiving
from phonegate import log
from phonegate.operations.notices.apprise_sender import (
    MISSING,
    UNKNOWN,
    AppriseSender,
    url_problem,
    without_secrets,
)
from phonegate.operations.notices.messenger import NotDelivered
from phonegate.operations.notices.notice import raised

from .ntfy import ntfy_serving

AWAY = raised(("phone_away", "club"), {"org": "club", "messages": 3}, since=0.0, now=420.0)
SECRET = "t0ps3cret"

# What Apprise uses of old Pythons is its own affair.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


async def send(url: str) -> str:
    with trio.fail_after(60):
        return await AppriseSender(url).send(AWAY)


async def test_a_service_gets_headline_text_and_kind() -> None:
    with receiving() as receiver:
        said = await send(f"json://127.0.0.1:{receiver.port}/{SECRET}")
    (taken,) = receiver.taken
    assert said == "taken by the service"
    assert taken.path == f"/{SECRET}"
    assert taken.json["title"] == "phonegate: Phone away"
    assert taken.json["message"] == AWAY.text
    assert taken.json["type"] == "warning"


async def test_a_topic_of_ntfy_is_reached_this_way_too() -> None:
    with receiving(answer=b'{"id":"x"}') as receiver:
        await send(f"ntfy://127.0.0.1:{receiver.port}/alarms")
    (taken,) = receiver.taken
    assert (taken.json["topic"], taken.json["title"]) == ("alarms", "phonegate: Phone away")


async def test_a_refusal_is_a_failure_that_shows_and_logs_no_token() -> None:
    logged = io.StringIO()
    log.configure("json", "debug", logged)
    with receiving(status=403) as receiver, pytest.raises(NotDelivered) as caught:
        await send(f"json://me:{SECRET}@127.0.0.1:{receiver.port}/{SECRET}")
    assert "403" in str(caught.value)
    assert SECRET not in str(caught.value)
    assert SECRET not in logged.getvalue()
    with pytest.raises(NotDelivered, match="onnection"):
        await send(f"ntfy://127.0.0.1:1/{SECRET}")
    assert SECRET not in logged.getvalue()


def test_a_url_is_checked_and_not_called() -> None:
    with ntfy_serving() as ntfy:
        assert url_problem(f"ntfy://127.0.0.1:{ntfy.port}/alarms") is None
        assert ntfy.messages == []
    assert url_problem(f"nosuchservice://{SECRET}") == UNKNOWN
    assert url_problem("tgram://x") == UNKNOWN


def test_without_the_package_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert url_problem("ntfy://x/y") == MISSING
    assert "phonegate[apprise]" in MISSING


async def test_the_package_is_loaded_only_where_it_is_used() -> None:
    code = "import sys, phonegate.gateway; sys.exit('apprise' in sys.modules)"
    done = await trio.run_process([sys.executable, "-c", code], check=False)
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("text", "url", "shown"),
    [
        ("failed at t0k3n1!", "json://host/t0k3n1%21", "failed at ***"),
        ("user me:pass1234@host", "json://me:pass1234@host", "user ***"),
        ("key abcd refused", "json://h/?key=abcd&x=y", "key *** refused"),
        ("nothing of it", "json://h/abcd", "nothing of it"),
    ],
)
def test_parts_of_the_url_are_left_out(text: str, url: str, shown: Any) -> None:
    assert without_secrets(text, url) == shown
