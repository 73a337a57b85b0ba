import json
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qs

import pytest
import trio

from kit.fake_carrier import FakeCarrier
from phonegate.carriers.twilio import client as twilio
from phonegate.carriers.twilio.client import Twilio
from phonegate.domain.carrier import (
    CarrierMessage,
    CarrierRefusal,
    NotTaken,
    Outbound,
    OutcomeUnknown,
)

from .samples import BODY, CANARIES, DEADLINE_S, MESSAGE, NOW, SERVICE, SID, TOKEN, message
from .stub import Act, Stub, answer, stub

LATER = NOW + 3_600_000
LIST = f"/2010-04-01/Accounts/{SID}/Messages.json"


def entry(**changes: Any) -> dict[str, Any]:
    return {
        "sid": "SM" + "1" * 32,
        "status": "queued",
        "direction": "outbound-api",
        "from": MESSAGE.sender,
        "to": MESSAGE.recipient,
        "body": BODY,
        "num_segments": "1",
        "date_created": formatdate(NOW / 1000),
        "date_sent": None,
        "error_code": None,
        "error_message": None,
        **changes,
    }


def page(*entries: object, following: object = None) -> Act:
    body = {"messages": entries, "next_page_uri": following, "page": 0}
    return answer(200, json.dumps(body).encode())


async def find(
    *acts: Act,
    wanted: Outbound = MESSAGE,
    now: int = LATER,
    deadline_s: float = DEADLINE_S,
    service: str | None = None,
) -> tuple[CarrierMessage | None, Stub]:
    async with stub(*acts) as served:
        client = Twilio(served.url, SID, TOKEN, service, now_ms=lambda: now)
        try:
            return await client.find(wanted, deadline_s=deadline_s), served
        finally:
            await client.aclose()


async def send(act: Act, wanted: Outbound = MESSAGE) -> CarrierMessage:
    async with stub(act) as served:
        client = Twilio(served.url, SID, TOKEN)
        try:
            return await client.send(wanted, deadline_s=DEADLINE_S)
        finally:
            await client.aclose()


def refusal(status: int, code: int, words: str) -> Act:
    return answer(status, json.dumps({"code": code, "message": words, "status": status}).encode())


@pytest.mark.parametrize(
    ("code", "ours"),
    [
        (20003, "check account_sid and auth_token"),
        (21211, "not a phone number"),
        (21610, "answering STOP"),
        (99999, ""),
    ],
)
async def test_refusals_keep_twilios_code_and_words(code: int, ours: str) -> None:
    status = 401 if code == 20003 else 400
    with pytest.raises(CarrierRefusal) as caught:
        await send(refusal(status, code, "The words."))
    fault = caught.value.fault
    assert fault.code == str(code)
    assert ours in fault.text
    assert fault.text.endswith("The words.")


async def test_a_refusal_without_reason_is_one() -> None:
    with pytest.raises(CarrierRefusal, match="no code: HTTP 403 without a reason"):
        await send(answer(403, b"<html>"))


async def test_a_refusal_that_quotes_what_it_was_sent_tells_no_secret() -> None:
    with pytest.raises(CarrierRefusal) as caught:
        await send(refusal(400, 1, f"No: {BODY} by {TOKEN}"))
    assert not [canary for canary in CANARIES if canary in str(caught.value)]


@pytest.mark.parametrize(("status", "code"), [(400, 21611), (400, 20429), (429, 20429), (503, 1)])
async def test_a_full_queue_may_come_again(status: int, code: int) -> None:
    with pytest.raises(NotTaken):
        await send(refusal(status, code, "later"))


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"sid":"SM1"}', b'{"sid":7,"status":"x"}'])
async def test_a_yes_without_the_message_is_unknown(body: bytes) -> None:
    with pytest.raises(OutcomeUnknown):
        await send(answer(201, body))


async def test_a_message_that_failed_at_once_is_told() -> None:
    failed = entry(status="failed", error_code=30001, error_message="Queue overflow")
    sent = await send(answer(201, json.dumps(failed).encode()))
    assert sent.fault is not None
    assert (sent.progress, sent.fault.code) == ("failed", "30001")


async def test_a_page_that_is_no_answer_of_twilios_is_not_an_unknown_message() -> None:
    async with stub(answer(404, b"<html>not here</html>")) as served:
        client = Twilio(served.url, SID, TOKEN)
        with pytest.raises(NotTaken):
            await client.fetch("SM1", deadline_s=DEADLINE_S)
        await client.aclose()


async def test_the_search_names_both_numbers_and_no_date() -> None:
    found, served = await find(page(entry()))
    assert found is not None
    target = served.requests[0].split()[1].decode()
    assert target.startswith(LIST)
    assert parse_qs(target.partition("?")[2]) == {
        "To": [MESSAGE.recipient],
        "From": [MESSAGE.sender],
        "PageSize": [str(twilio.PAGE_SIZE)],
    }


async def test_a_service_may_not_have_chosen_the_sender_yet() -> None:
    found, served = await find(page(entry(**{"from": None})), service=SERVICE)
    assert found is not None
    assert b"From=" not in served.requests[0]
    other, _ = await find(page(entry(**{"from": "+15005550099"})), service=SERVICE)
    assert other is None


async def test_all_pages_are_read() -> None:
    second = f"{LIST}?Page=1&PageToken=PAx"
    found, served = await find(page(entry(body="other"), following=second), page(entry(sid="SM2")))
    assert found is not None
    assert found.id == "SM2"
    assert served.requests[1].split()[1].decode() == second


async def test_absent_is_certain_only_after_the_last_page() -> None:
    last, _ = await find(page(following=f"{LIST}?Page=1"), page())
    assert last is None
    with pytest.raises(OutcomeUnknown, match="no end"):
        await find(page(following=f"{LIST}?Page=1"))
    with pytest.raises(OutcomeUnknown):
        await find(page(following=f"{LIST}?Page=1"), answer(500))
    with pytest.raises(OutcomeUnknown):
        await find(page(following=f"{LIST}?Page=1"), answer(200, b'{"messages":'))


@pytest.mark.parametrize("strange", ["https://elsewhere.test/", "@elsewhere.test/", "/x", 7, ""])
async def test_the_list_goes_on_only_where_it_began(strange: object) -> None:
    with pytest.raises(OutcomeUnknown, match="strange"):
        await find(page(following=strange))


@pytest.mark.parametrize("act", [refusal(401, 20003, "no"), refusal(429, 20429, "no")])
async def test_a_search_that_is_refused_says_nothing(act: Act) -> None:
    with pytest.raises(NotTaken):
        await find(act)


async def test_absent_is_not_certain_soon_after_the_last_try() -> None:
    grace_ms = round(twilio.GRACE_S * 1000)
    with pytest.raises(OutcomeUnknown, match="still may"):
        await find(page(), now=NOW + grace_ms - 1)
    assert (await find(page(), now=NOW + grace_ms))[0] is None
    again = message(tried_at=NOW + 10_000)
    with pytest.raises(OutcomeUnknown):
        await find(page(), now=NOW + grace_ms, wanted=again)
    # What is there is there, however soon.
    assert (await find(page(entry()), now=NOW))[0] is not None


@pytest.mark.parametrize(
    "changes",
    [
        {"body": "another text"},
        {"direction": "inbound"},
        {"from": "+15550001111"},
        {"date_created": formatdate(NOW / 1000 - 3_600)},
        {"sid": "SM3"},
        {"sid": None},
    ],
    ids=str,
)
async def test_other_messages_are_not_it(changes: dict[str, Any]) -> None:
    wanted = message(others=frozenset({"SM3"}))
    assert (await find(page(entry(**changes)), wanted=wanted))[0] is None


@pytest.mark.parametrize(
    ("sent", "listed"),
    [
        ("hello", "Sent from your Twilio trial account - hello"),
        ("it\u2019s \u201chere\u201d \u2013 now", 'it\'s "here" - now'),
        (" spaced\r\nout ", "spaced out"),
        ("cafe\u0301", "caf\u00e9"),
        ("", ""),
    ],
)
async def test_what_twilio_does_to_a_text_does_not_hide_it(sent: str, listed: str) -> None:
    assert (await find(page(entry(body=listed)), wanted=message(body=sent)))[0] is not None


@pytest.mark.parametrize("changes", [{"body": ""}, {"body": None}, {"date_created": None}], ids=str)
async def test_a_message_without_its_text_may_be_it(changes: dict[str, Any]) -> None:
    with pytest.raises(OutcomeUnknown, match="may be this one"):
        await find(page(entry(**changes)))


async def test_of_several_the_exact_and_then_the_oldest_is_it() -> None:
    near = entry(sid="SM1", body=f" {BODY}")
    newer = entry(sid="SM2", date_created=formatdate(NOW / 1000 + 60))
    oldest = entry(sid="SM3", date_created=formatdate(NOW / 1000 + 30))
    found, _ = await find(page(near, newer, oldest))
    assert found is not None
    assert found.id == "SM3"


async def test_a_message_that_still_waits_at_twilio_is_found(nursery: trio.Nursery) -> None:
    fake = FakeCarrier()
    fake.settings.step_s = None
    await nursery.start(fake.serve)
    client = Twilio(fake.base_url, fake.twilio.sid, fake.twilio.token, SERVICE, grace_s=0)
    sent = await client.send(MESSAGE, deadline_s=DEADLINE_S)
    found = await client.find(MESSAGE, deadline_s=DEADLINE_S)
    assert found == sent
    assert found.sent_at is None
    await client.aclose()
    nursery.cancel_scope.cancel()


async def test_a_clock_ahead_of_twilio_s_hides_no_message() -> None:
    ahead_s = 3_600
    created = formatdate(NOW / 1000 - ahead_s)
    date = f"Date: {formatdate(LATER / 1000 - ahead_s, usegmt=True)}"
    listed = json.dumps({"messages": [entry(date_created=created)], "next_page_uri": None})
    found, _ = await find(answer(200, listed.encode(), date))
    assert found is not None
    # Without that Date it would be one of long ago.
    assert (await find(answer(200, listed.encode())))[0] is None


async def test_words_about_the_account_name_it_not() -> None:
    act = refusal(404, 20404, f"The requested resource {LIST} was not found")
    with pytest.raises(CarrierRefusal) as caught:
        await send(act)
    assert SID not in caught.value.fault.text
    assert "was not found" in caught.value.fault.text
