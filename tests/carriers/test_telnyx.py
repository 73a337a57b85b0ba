import json
from typing import Any

import pytest

from phonegate.carriers.telnyx import client as telnyx
from phonegate.carriers.telnyx.client import Telnyx
from phonegate.domain.carrier import (
    CarrierMessage,
    CarrierRefusal,
    NotTaken,
    Outbound,
    OutcomeUnknown,
)

from .samples import API_KEY, BODY, CANARIES, DEADLINE_S, MESSAGE, NOW, message
from .stub import Act, answer, close, stub

LATER = NOW + 3_600_000


def taken(**changes: Any) -> Act:
    data = {"id": "40385f64-5717", "to": [{"status": "queued"}], "parts": 1, **changes}
    return answer(200, json.dumps({"data": data}).encode())


def refusal(status: int, code: str, title: str = "Title", detail: str = "Detail.") -> Act:
    error = {"code": code, "title": title, "detail": detail}
    return answer(status, json.dumps({"errors": [error]}).encode())


async def use(
    method: str, *acts: Act, wanted: Outbound = MESSAGE, now: int = LATER
) -> tuple[CarrierMessage | None, list[bytes]]:
    async with stub(*acts) as served:
        client = Telnyx(served.url, API_KEY, now_ms=lambda: now)
        call = {"send": client.send, "find": client.find}[method]
        try:
            return await call(wanted, deadline_s=DEADLINE_S), served.requests
        finally:
            await client.aclose()


@pytest.mark.parametrize(
    ("status", "code", "ours"),
    [
        (401, "10009", "does not take this API key"),
        (400, "10016", "E.164"),
        (403, "40300", "answering STOP"),
        (409, "40300", "answering STOP"),
        (422, "10004", "Title"),
        (400, "99999", "Title"),
    ],
)
async def test_refusals_keep_telnyxs_code_and_words(status: int, code: str, ours: str) -> None:
    with pytest.raises(CarrierRefusal) as caught:
        await use("send", refusal(status, code))
    assert caught.value.fault.code == code
    assert ours in caught.value.fault.text
    assert caught.value.fault.text.endswith("Title: Detail.")


async def test_a_refusal_that_quotes_what_it_was_sent_tells_no_secret() -> None:
    with pytest.raises(CarrierRefusal) as caught:
        await use("send", refusal(400, "1", f"By {API_KEY}", BODY))
    assert not [canary for canary in CANARIES if canary in str(caught.value)]


@pytest.mark.parametrize("act", [refusal(400, "10011"), refusal(429, "10011"), answer(503)])
@pytest.mark.parametrize("method", ["send", "find"])
async def test_too_many_may_come_again(method: str, act: Act) -> None:
    with pytest.raises(NotTaken):
        await use(method, act)


async def test_the_rate_limits_own_header_says_how_long() -> None:
    with pytest.raises(NotTaken) as caught:
        await use("send", answer(429, b"{}", "x-ratelimit-reset: 11"))
    assert caught.value.retry_after_s == 11


@pytest.mark.parametrize("body", [b"", b"[]", b'{"data":null}', b'{"data":{"id":"1","to":[]}}'])
@pytest.mark.parametrize("method", ["send", "find"])
async def test_a_yes_without_the_message_is_unknown(method: str, body: bytes) -> None:
    with pytest.raises(OutcomeUnknown):
        await use(method, answer(200, body))


@pytest.mark.parametrize(
    "act",
    [
        refusal(409, "10012", "Conflict", "A request under this key is being processed."),
        refusal(422, "10015", "Bad Request", "The Idempotency-Key was used with another body."),
        answer(500),
        close,
    ],
)
@pytest.mark.parametrize("method", ["send", "find"])
async def test_a_key_that_telnyx_knows_otherwise_is_unknown(method: str, act: Act) -> None:
    with pytest.raises(OutcomeUnknown):
        await use(method, act)


async def test_a_request_that_telnyx_can_not_process_now_may_be_known_otherwise() -> None:
    with pytest.raises(OutcomeUnknown):
        await use("find", refusal(422, "10015", "Bad Request", "Not this."))


async def test_every_try_is_the_same_request_byte_for_byte() -> None:
    wanted = message(media_urls=("https://example.com/a.jpg",), callback_url="https://gw.test/cb")
    _, sent = await use("send", taken(), wanted=wanted)
    _, found = await use("find", taken(), wanted=wanted)
    assert sent[0].partition(b"\r\n\r\n")[2] == found[0].partition(b"\r\n\r\n")[2]
    for request in (sent[0], found[0]):
        assert f"\r\nidempotency-key: {wanted.reference}\r\n".encode() in request.lower()


@pytest.mark.parametrize(
    "act", [refusal(400, "10016"), refusal(403, "40300"), refusal(409, "40300"), answer(400)]
)
async def test_what_is_refused_under_its_key_was_never_taken(act: Act) -> None:
    assert (await use("find", act))[0] is None


@pytest.mark.parametrize(
    "act", [refusal(401, "10009"), refusal(403, "10010"), refusal(404, "10005"), answer(402)]
)
async def test_a_search_that_is_refused_says_nothing(act: Act) -> None:
    with pytest.raises(NotTaken):
        await use("find", act)


async def test_nothing_is_repeated_past_its_time() -> None:
    late = message(not_after=LATER)
    with pytest.raises(OutcomeUnknown, match="time ran out"):
        await use("find", taken(), wanted=late)
    found, _ = await use("find", taken(), wanted=late, now=LATER - 1)
    assert found is not None


async def test_nothing_is_repeated_once_telnyx_may_have_forgotten() -> None:
    assert telnyx.REMEMBERED_MS < 24 * 3_600_000
    async with stub(taken()) as served:
        for now in (NOW + telnyx.REMEMBERED_MS, NOW + 10 * telnyx.REMEMBERED_MS):
            client = Telnyx(served.url, API_KEY, now_ms=lambda now=now: now)  # type: ignore[misc]
            with pytest.raises(OutcomeUnknown, match="forgotten"):
                await client.find(MESSAGE, deadline_s=DEADLINE_S)
            await client.aclose()
        assert served.requests == []
    assert (await use("find", taken(), now=NOW + telnyx.REMEMBERED_MS - 1))[0] is not None


async def test_nothing_is_repeated_while_the_last_try_may_run() -> None:
    grace_ms = round(telnyx.GRACE_S * 1000)
    for wanted, now in [(MESSAGE, NOW + grace_ms - 1), (message(tried_at=LATER), LATER + 1)]:
        with pytest.raises(OutcomeUnknown, match="under way"):
            await use("find", taken(), wanted=wanted, now=now)
    assert (await use("find", taken(), now=NOW + grace_ms))[0] is not None


async def test_a_page_that_is_no_answer_of_telnyxs_is_not_an_unknown_message() -> None:
    async with stub(answer(404, b"<html>not here</html>")) as served:
        client = Telnyx(served.url, API_KEY)
        with pytest.raises(NotTaken):
            await client.fetch("1", deadline_s=DEADLINE_S)
        await client.aclose()


async def test_a_strange_id_stays_in_its_place_of_the_path() -> None:
    async with stub(refusal(404, "10005")) as served:
        client = Telnyx(served.url, API_KEY)
        assert await client.fetch("../x?y", deadline_s=DEADLINE_S) is None
        assert served.requests[0].startswith(b"GET /v2/messages/..%2Fx%3Fy HTTP")
        await client.aclose()
