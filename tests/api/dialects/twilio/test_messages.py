"""Listing, reading, cancelling, redacting and deleting by Twilio's API."""

from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from phonegate.model.messages import FAR_AHEAD_MS, NewInbound, NewMessage
from phonegate.model.times import DAY_MS
from phonegate.model.twilio_ids import account_sid, message_sid
from phonegate.store.tables import Tables
from tests.api.conftest import NOW, ORG, Reply, Web
from tests.api.dialects.twilio.calls import NUMBER, TO, call, create, online
from tests.store.conftest import bring, inbound, outbound

META = {
    "end",
    "first_page_uri",
    "next_page_uri",
    "page",
    "page_size",
    "previous_page_uri",
    "start",
    "uri",
}
"""What a page may have beside its list: by the rest, the official libraries find that."""

SHORT = "72345"


@pytest.fixture
async def site(web: Web) -> Web:
    online(web)
    return web


async def store(web: Web, *many: NewMessage | NewInbound) -> list[int]:
    """Stores messages of either direction."""

    def insert(tx: Tables, one: NewMessage | NewInbound) -> int:
        if isinstance(one, NewMessage):
            return tx.messages.insert(one)
        id_ = tx.messages.insert_inbound(one)
        assert id_ is not None
        return id_

    return await web.database.write(lambda tx: [insert(tx, one) for one in many])


async def listed(web: Web, **query: Any) -> Reply:
    return await call(web, "GET", f"Messages.json?{urlencode(query)}")


def bodies(reply: Reply) -> list[str]:
    return [one["body"] for one in reply.json["messages"]]


async def every_page(web: Web, **query: Any) -> list[list[str]]:
    """Follows the pages of a list to their end."""
    pages = []
    reply = await listed(web, **query)
    while True:
        assert reply.status == 200
        pages.append(bodies(reply))
        following = reply.json["next_page_uri"]
        if following is None:
            return pages
        reply = await call(web, "GET", following)


# -- lists


async def test_a_list_is_newest_first_and_its_pages_stay_as_they_are(site: Web) -> None:
    await store(site, *(outbound(1, str(n)) for n in range(5)))
    first = await listed(site, PageSize=2)
    assert set(first.json) - {"messages"} == META
    assert bodies(first) == ["4", "3"]
    assert (first.json["page"], first.json["start"], first.json["end"]) == (0, 0, 1)
    await store(site, outbound(1, "new"), outbound(1, "newer"))
    following = first.json["next_page_uri"]
    assert following.startswith(f"/2010-04-01/Accounts/{account_sid(1)}/Messages.json?")
    second = await call(site, "GET", following)
    assert bodies(second) == ["2", "1"]
    assert (second.json["page"], second.json["start"]) == (1, 2)
    third = await call(site, "GET", second.json["next_page_uri"])
    assert (bodies(third), third.json["next_page_uri"]) == (["0"], None)


async def test_a_full_last_page_has_none_after_it(site: Web) -> None:
    await store(site, *(outbound(1, str(n)) for n in range(4)))
    assert await every_page(site, PageSize=2) == [["3", "2"], ["1", "0"]]
    assert await every_page(site, PageSize=2, To=TO) == [["3", "2"], ["1", "0"]]


async def test_an_empty_list_is_a_page_too(site: Web) -> None:
    assert await every_page(site) == [[]]
    assert await every_page(site, To=TO, DateSent="2027-01-15") == [[]]


async def test_to_and_from_are_parties_or_own_numbers(site: Web) -> None:
    await store(
        site,
        outbound(1, "out", sim=NUMBER),
        inbound(1, "in", address=TO, sim=NUMBER),
        outbound(1, "short", address=SHORT, sim="+15550000002"),
        inbound(1, "to the other", address=SHORT, sim="+15550000002"),
        # From one of the own numbers to another.
        outbound(1, "across", address="+15550000002", sim=NUMBER),
        inbound(1, "across", address=NUMBER, sim="+15550000002"),
    )
    assert await every_page(site, To=TO) == [["out"]]
    assert await every_page(site, From=TO) == [["in"]]
    assert await every_page(site, To=NUMBER) == [["in"]]
    assert await every_page(site, From=NUMBER, PageSize=1) == [["across"], ["across"], ["out"]]
    assert await every_page(site, To=SHORT) == [["short"]]
    assert await every_page(site, From=SHORT, To="+15550000002") == [["to the other"]]
    assert await every_page(site, From=NUMBER, To="+15550000002", PageSize=1) == [
        ["across"],
        ["across"],
    ]
    # A plus that its client did not escape.
    reply = await call(site, "GET", f"Messages.json?To={TO}")
    assert bodies(reply) == ["out"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"DateSent": "2027-01-15"}, ["today", "late"]),
        ({"DateSent": "2027-01-14"}, ["yesterday"]),
        ({"DateSent": "2027-01-14T00:00:00Z"}, ["yesterday"]),
        ({"DateSent>": "2027-01-15"}, ["today", "late"]),
        ({"DateSent>": "2027-01-14T08:00:00Z"}, ["today", "yesterday", "late"]),
        ({"DateSent<": "2027-01-14"}, ["yesterday", "old"]),
        ({"DateSent<": "2027-01-14T07:59:59Z"}, ["old"]),
        ({"DateSent>": "2027-01-14", "DateSent<": "2027-01-14"}, ["yesterday"]),
    ],
)
async def test_messages_are_found_by_when_they_were_sent(
    site: Web, query: dict[str, str], found: list[str]
) -> None:
    (late, *_) = await store(
        site,
        outbound(1, "late", created_at=NOW - 20 * DAY_MS),
        inbound(1, "old", created_at=NOW - 10 * DAY_MS),
        inbound(1, "yesterday", created_at=NOW - DAY_MS),
        outbound(1, "today", created_at=NOW),
    )
    await site.database.write(lambda tx: bring(tx, late, "sent", sent_at=NOW))
    assert [body for page in await every_page(site, **query) for body in page] == found


async def test_old_ones_are_looked_for_page_by_page(
    site: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("phonegate.api.dialects.twilio.messages.LOOKED_AT", 3)
    ages = [9, 1, 1, 1, 1, 9, 1, 1]
    await store(
        site, *(inbound(1, str(n), created_at=NOW - age * DAY_MS) for n, age in enumerate(ages))
    )
    pages = await every_page(site, PageSize=2, **{"DateSent>": "2027-01-10"})
    assert [body for page in pages for body in page] == ["7", "6", "4", "3", "2", "1"]
    query = {"PageSize": 2, "DateSent>": "2027-01-10"}
    following = (await listed(site, **query)).json["next_page_uri"]
    assert parse_qs(urlsplit(following).query)["DateSent>"] == ["2027-01-10"]


async def test_what_was_held_for_long_is_found_behind_the_first_of_its_kind(site: Web) -> None:
    held = await store(site, *(outbound(1, f"{n}", created_at=NOW - 20 * DAY_MS) for n in range(2)))

    def send(tx: Tables) -> None:
        for one in held:
            bring(tx, one, "sent", sent_at=NOW)

    await site.database.write(send)
    pages = await every_page(site, PageSize=1, DateSent="2027-01-15")
    assert [body for page in pages for body in page] == ["1", "0"]


async def test_what_long_texts_make_of_a_page_loses_none(site: Web) -> None:
    long = "x" * 300_000
    await store(
        site,
        *(outbound(1, f"{n}{long}", address=TO) for n in range(6)),
        *(inbound(1, f"{n}", address=NUMBER, sim=TO) for n in range(6, 9)),
    )
    pages = await every_page(site, To=TO)
    assert [body[0] for page in pages for body in page] == list("876543210")
    assert len(pages) > 1


@pytest.mark.parametrize(
    "query",
    [
        {"PageSize": 0},
        {"PageSize": 1001},
        {"Page": 3},
        {"PageToken": "nonsense"},
        {"DateSent": "yesterday"},
    ],
)
async def test_a_wrong_question_is_refused(site: Web, query: dict[str, Any]) -> None:
    reply = await listed(site, **query)
    assert (reply.status, reply.json["code"]) == (400, 20001)


async def test_a_limited_key_sees_what_it_may(site: Web) -> None:
    await store(
        site, inbound(1, "Your code is 493021", address=TO), inbound(1, "other", address="+4915")
    )
    limits = {"from": [TO], "codes": "hidden"}
    made = await site.call(
        "POST", f"/keys/{ORG}", {"name": "x", "scopes": ["read"], "limits": limits}
    )
    key = made.json["key"]
    reply = await call(site, "GET", "Messages.json", token=key)
    assert len(reply.json["messages"]) == 1
    assert "493021" not in reply.data.decode()
    hidden = await call(site, "GET", f"Messages/{message_sid(2)}.json", token=key)
    assert (hidden.status, hidden.json["code"]) == (404, 20404)


# -- states


@pytest.mark.parametrize(
    ("status", "columns", "word", "code"),
    [
        ("queued", {}, "queued", None),
        ("sending", {}, "sending", None),
        ("sent", {"sent_at": NOW}, "sent", None),
        ("delivered", {"sent_at": NOW}, "delivered", None),
        ("failed", {"error": "no credit"}, "failed", 30008),
        ("failed", {"error": "absent", "sent_at": NOW}, "undelivered", 30008),
        ("expired", {}, "failed", 30036),
        ("cancelled", {}, "canceled", None),
        ("uncertain", {}, "sent", None),
    ],
)
async def test_each_state_has_its_word(
    site: Web, status: str, columns: dict[str, Any], word: str, code: int | None
) -> None:
    (id_,) = await store(site, outbound(1))
    if status != "queued":
        await site.database.write(lambda tx: bring(tx, id_, status, **columns))
    found = (await call(site, "GET", f"Messages/{message_sid(id_)}.json")).json
    assert (found["status"], found["error_code"]) == (word, code)
    assert found["error_message"] == (columns.get("error") if code else None)
    assert (found["date_sent"] is None) == ("sent_at" not in columns)


async def test_one_that_waits_for_a_person_is_accepted(site: Web) -> None:
    (id_,) = await store(site, outbound(1, approval="asked", held_until=FAR_AHEAD_MS))
    found = (await call(site, "GET", f"Messages/{message_sid(id_)}")).json
    assert found["status"] == "accepted"


async def test_a_received_one(site: Web) -> None:
    (id_,) = await store(site, inbound(1, "hi", address=TO, sim=NUMBER, created_at=NOW))
    found = (await call(site, "GET", f"Messages/{message_sid(id_)}.json")).json
    assert (found["direction"], found["status"]) == ("inbound", "received")
    assert (found["from"], found["to"], found["num_media"]) == (TO, NUMBER, "0")
    assert found["date_sent"] == "Fri, 15 Jan 2027 08:00:00 +0000"


@pytest.mark.parametrize("sid", ["SM1", message_sid(77), account_sid(1), "x"])
async def test_what_is_not_there(site: Web, sid: str) -> None:
    for method, form in (("GET", None), ("DELETE", None), ("POST", {"Status": "canceled"})):
        reply = await call(site, method, f"Messages/{sid}.json", form)
        assert (reply.status, reply.json["code"]) == (404, 20404)
        assert reply.json["more_info"] == "https://www.twilio.com/docs/errors/20404"


# -- changes


async def test_a_scheduled_message_is_cancelled(site: Web) -> None:
    sid = (await create(site, ScheduleType="fixed", SendAt="2027-01-15T09:00:00Z")).json["sid"]
    reply = await call(site, "POST", f"Messages/{sid}.json", {"Status": "canceled"})
    assert (reply.status, reply.json["status"]) == (200, "canceled")
    (id_,) = await store(site, outbound(1))
    await site.database.write(lambda tx: bring(tx, id_, "sent"))
    late = await call(site, "POST", f"Messages/{message_sid(id_)}.json", {"Status": "canceled"})
    assert (late.status, late.json["code"]) == (409, 30409)


async def test_a_key_that_may_only_send_learns_nothing_by_cancelling(site: Web) -> None:
    made = await site.call("POST", f"/keys/{ORG}", {"name": "x", "scopes": ["send"]})
    key = made.json["key"]
    sid = (await create(site, ScheduleType="fixed", SendAt="2027-01-15T09:00:00Z")).json["sid"]
    reply = await call(site, "POST", f"Messages/{sid}", {"Status": "canceled"}, token=key)
    assert (reply.status, reply.json["status"]) == (200, "canceled")
    assert "hello" not in reply.data.decode()
    assert TO not in reply.data.decode()
    for form in ({"Body": ""}, {}):
        refused = await call(site, "POST", f"Messages/{sid}", form, token=key)
        assert (refused.status, refused.json["code"]) == (403, 20006)


async def test_one_who_may_not_manage_redacts_nothing(site: Web) -> None:
    made = await site.call("POST", f"/keys/{ORG}", {"name": "x", "scopes": ["send", "read"]})
    (id_,) = await store(site, outbound(1, "kept"))
    await site.database.write(lambda tx: bring(tx, id_, "sent"))
    path = f"Messages/{message_sid(id_)}.json"
    reply = await call(site, "POST", path, {"Body": ""}, token=made.json["key"])
    assert (reply.status, reply.json["code"]) == (403, 20006)
    assert (await call(site, "GET", path)).json["body"] == "kept"


async def test_a_text_is_redacted(site: Web) -> None:
    (id_,) = await store(site, outbound(1, "secret words"))
    path = f"Messages/{message_sid(id_)}.json"
    early = await call(site, "POST", path, {"Body": ""})
    assert (early.status, early.json["code"]) == (409, 20009)
    await site.database.write(lambda tx: bring(tx, id_, "sent"))
    changed = await call(site, "POST", path, {"Body": "other words"})
    assert (changed.status, changed.json["code"]) == (400, 20001)
    reply = await call(site, "POST", path, {"Body": ""})
    assert (reply.status, reply.json["body"], reply.json["status"]) == (200, "", "sent")
    assert (await call(site, "GET", path)).json["body"] == ""


async def test_who_may_manage_and_not_read_redacts(site: Web) -> None:
    """An answer that it may not would follow upon the deed."""
    made = await site.call("POST", f"/keys/{ORG}", {"name": "n", "scopes": ["send", "manage"]})
    (id_,) = await store(site, outbound(1, "secret words"))
    await site.database.write(lambda tx: bring(tx, id_, "sent"))
    path = f"Messages/{message_sid(id_)}.json"
    reply = await call(site, "POST", path, {"Body": ""}, token=made.json["key"])
    assert (reply.status, reply.json["body"], reply.json["to"]) == (200, "", "")
    assert (await call(site, "GET", path)).json["body"] == ""


async def test_a_finished_message_is_deleted(site: Web) -> None:
    (id_,) = await store(site, outbound(1))
    path = f"Messages/{message_sid(id_)}.json"
    early = await call(site, "DELETE", path)
    assert (early.status, early.json["code"]) == (409, 20009)
    await site.database.write(lambda tx: bring(tx, id_, "delivered"))
    reply = await call(site, "DELETE", path)
    assert (reply.status, reply.data) == (204, b"")
    assert (await call(site, "GET", path)).status == 404


async def test_feedback_is_taken(site: Web) -> None:
    (id_,) = await store(site, outbound(1))
    path = f"Messages/{message_sid(id_)}/Feedback.json"
    reply = await call(site, "POST", path, {"Outcome": "confirmed"})
    assert (reply.status, reply.json["outcome"]) == (201, "confirmed")
    assert (await call(site, "POST", path, {"Outcome": "great"})).status == 400


async def test_addresses_that_are_not_there_are_refused_in_twilios_words(site: Web) -> None:
    for path in ("Calls.json", "Messages/x/y/z", "/2010-04-01/nothing"):
        reply = await call(site, "GET", path)
        assert (reply.status, reply.json["code"]) == (404, 20404)
    wrong = await call(site, "DELETE", "Messages.json")
    assert (wrong.status, wrong.json["code"]) == (405, 20004)
