"""Notices to a URL, over real sockets."""

import threading
from typing import Any

import httpx
import pytest
import trio

from kit.receiver import receiving
from phonegate.operations.notices.messenger import NotDelivered
from phonegate.operations.notices.notice import raised, trial_notice
from phonegate.operations.notices.webhook_sender import WebhookSender
from tests.patience import PATIENCE_S

from .ntfy import ntfy_serving

AWAY = raised(("phone_away", "club"), {"org": "club", "messages": 3}, since=0.0, now=420.0)
SECRET = "t0ps3cret"


async def send(url: str, notice: Any = AWAY) -> str:
    with trio.fail_after(PATIENCE_S):
        return await WebhookSender(url).send(notice)


async def refused(url: str) -> str:
    with pytest.raises(NotDelivered) as caught:
        await send(url)
    assert SECRET not in str(caught.value)
    return str(caught.value)


async def test_a_proxy_that_can_t_be_used_is_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("all_proxy", f"gopher://me:{SECRET}@127.0.0.1:9")
    assert "ALL_PROXY" in await refused("http://127.0.0.1:9/")


async def test_a_receiver_gets_json() -> None:
    with receiving(answer=b"fine\x1b[31m\nthanks") as receiver:
        said = await send(f"{receiver.url}/alarms?key={SECRET}")
    (taken,) = receiver.taken
    assert said == "HTTP 200: fine [31m thanks"
    assert (taken.method, taken.path) == ("POST", f"/alarms?key={SECRET}")
    assert taken.headers["content-type"] == "application/json"
    assert taken.json == AWAY.as_json()


async def test_a_user_in_the_url_is_sent_as_basic_credentials() -> None:
    with receiving() as receiver:
        await send(receiver.url.replace("//", f"//me:{SECRET}@"))
    (taken,) = receiver.taken
    assert taken.headers["authorization"] == httpx.BasicAuth("me", SECRET)._auth_header


@pytest.mark.parametrize("status", [301, 400, 404, 410, 500, 503])
async def test_any_answer_but_2xx_is_a_failure(status: int) -> None:
    fields = {"Location": f"http://127.0.0.1:1/{SECRET}"} if status == 301 else {}
    with receiving(status=status, fields=fields) as receiver:
        reason = await refused(f"{receiver.url}/{SECRET}")
    assert f"HTTP {status}" in reason
    assert len(receiver.taken) == 1, "a redirect is not followed"


async def test_what_is_not_there_is_a_failure_in_words() -> None:
    assert await refused(f"http://127.0.0.1:1/{SECRET}") == "can't be reached: Connection refused"


async def test_an_endless_answer_is_cut() -> None:
    with receiving(answer=b"x" * 5_000_000) as receiver:
        assert len(await send(receiver.url)) < 250


async def test_one_that_hangs_ends_with_the_deadline() -> None:
    with receiving(hangs=threading.Event()) as receiver:
        with trio.move_on_after(0.2) as scope:
            await WebhookSender(receiver.url).send(AWAY)
    assert scope.cancelled_caught


async def test_a_topic_of_ntfy_shows_a_headline_and_a_sentence() -> None:
    with ntfy_serving() as ntfy:
        await send(f"{ntfy.url}/alarms")
        await send(f"{ntfy.url}/alarms", trial_notice())
    first, second = ntfy.messages
    assert first["title"] == "phonegate: Phone away"
    assert first["message"] == AWAY.text
    assert (first["priority"], first["tags"]) == (4, ["warning"])
    assert second["title"] == "phonegate: Test"
    assert (second["priority"], second["tags"]) == (3, ["wave"])
