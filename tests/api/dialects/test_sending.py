"""The one act of sending by which every dialect sends, seen by a small one of the tests."""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import attrs
import pytest
import trio

from phonegate.api.dialect import Dialect, Given, Refusal, Worded
from phonegate.api.dialects.sending import recipients, send
from phonegate.api.dialects.wanted import Accepted, Wanted
from phonegate.api.endpoint import Answer, Call, Endpoint, Request
from phonegate.api.main_pipeline import build_pipeline
from phonegate.api.reply import Reply
from phonegate.api.table import Table
from phonegate.config.settings import HttpSettings
from phonegate.domain.carrier import CarrierFault, CarrierRefusal, OutcomeUnknown
from phonegate.domain.dispatch import OnlinePhone
from phonegate.http.login import Login
from phonegate.model.bounds import MAX_SEGMENTS
from phonegate.model.callbacks import Callback
from phonegate.model.messages import Message, PageQuery
from phonegate.model.phones import MMS, Sim
from phonegate.typed_json.fields import field
from phonegate.typed_json.rules import Text, Whole
from tests.api.conftest import CLIENT, NOW, ORG, Web

SIM, OTHER_SIM = "+15551112222", "+15551112223"
NUMBER = "+15557778888"
"""That of an assistant with a carrier."""
TO, ANOTHER, OTHER = "+15553334444", "+15553334445", "+15553334446"
CALLED = "http://192.168.1.5/reports"


@attrs.frozen(kw_only=True)
class Asked:
    """What its client gives."""

    to: tuple[str, ...] = field("Numbers.", default=())
    text: Annotated[str, Text(0, 100_000)] = field("The text.", default="")
    sender: Annotated[str, Text(0, 30)] | None = field("A number.", default=None)
    slot: Annotated[int, Whole(0, 9)] | None = field("A slot.", default=None)
    ttl: Annotated[int, Whole(0, 10**9)] | None = field("Seconds.", default=None)
    ahead: Annotated[int, Whole(0, 10**12)] | None = field("Milliseconds.", default=None)
    media: tuple[str, ...] = field("URLs.", default=())
    called: Annotated[str, Text(0, 100)] | None = field("A URL for reports.", default=None)


def refuse(refusal: Refusal) -> Worded:
    said = {"said": refusal.code, "why": refusal.detail, "to": [p.field for p in refusal.problems]}
    return Worded(status=refusal.status, body=json.dumps(said).encode(), media="application/json")


def render(accepted: Sequence[Accepted]) -> Answer:
    return Answer(content=json.dumps([attrs.asdict(one) for one in accepted]).encode())


async def handle(call: Call) -> Answer:
    asked: Asked = call.body
    wanted = [
        Wanted(
            to=to,
            body=asked.text,
            sender=asked.sender,
            slot=asked.slot,
            ttl_s=asked.ttl,
            send_at=None if asked.ahead is None else NOW + asked.ahead,
            media_urls=asked.media,
            callback=None if asked.called is None else Callback(shape="kannel", url=asked.called),
        )
        for to in (await recipients(call, asked.to) if asked.to else ())
    ]
    return await send(DIALECT, call, wanted, render, fields=("to", "text"))


DIALECT = Dialect(name="generic", title="Test", text="Test.", login=Login(), refuse=refuse)

TABLE = Table(
    [
        Endpoint(
            name="test",
            method="POST",
            paths=("/test",),
            scope="send",
            summary="Send",
            group="dialect: test",
            answer=None,
            dialect=DIALECT,
            given=Given(type=Asked),
            sends=True,
            handler=handle,
        )
    ]
)


@attrs.frozen
class Client:
    """Asks the small dialect with an API key."""

    web: Web
    key: str

    async def send(self, *, headers: Mapping[str, str] | None = None, **asked: Any) -> Reply:
        pipeline = build_pipeline(self.web.services, HttpSettings(), TABLE)
        request = Request(
            method="POST",
            path="/test",
            client=CLIENT,
            headers={
                "authorization": f"Bearer {self.key}",
                "content-type": "application/json",
                **(headers or {}),
            },
        )
        body = {"to": TO, "text": "hello", **asked}
        return await pipeline.reply(request, json.dumps(body).encode())


@pytest.fixture
async def client(web: Web) -> Client:
    sims = (Sim(slot=0, number=SIM), Sim(slot=1, number=OTHER_SIM))
    web.phones.phones.append(OnlinePhone(phone=1, device_id="a", name=None, sims=sims))
    assistant = {
        "name": "support",
        "provider": "telnyx",
        "phone_numbers": [NUMBER],
        "credentials": {"api_key": "KEY0123456789"},
    }
    added = await web.call("POST", f"/assistants?org_id={ORG}", assistant)
    assert added.status == 201, added.data
    made = await web.call("POST", f"/keys/{ORG}", {"name": "app"})
    return Client(web, made.json["key"])


async def stored(web: Web) -> list[Message]:
    org = await web.database.read(lambda tx: tx.orgs.get(ORG))
    assert org is not None
    return await web.database.read(lambda tx: tx.messages.page(org.id, PageQuery()))


def said(reply: Reply) -> Any:
    return json.loads(reply.body)


@pytest.mark.parametrize(
    ("asked", "sim"),
    [
        ({}, SIM),
        ({"sender": ""}, SIM),
        ({"sender": "MyShop"}, SIM),
        ({"sender": "Shop24seven365"}, SIM),
        ({"sender": OTHER_SIM}, OTHER_SIM),
        ({"sender": "(1) 555 111-2223"}, OTHER_SIM),
        ({"slot": 1}, OTHER_SIM),
        ({"slot": 1, "sender": SIM}, SIM),
    ],
)
async def test_the_sender_s_text_chooses_the_sim(
    web: Web, client: Client, asked: dict[str, Any], sim: str
) -> None:
    reply = await client.send(**asked)
    assert reply.status == 200, reply.body
    (message,) = web.phones.pushed
    assert (message.address, message.body, message.sim) == (TO, "hello", sim)
    assert said(reply)[0]["id"] == message.id


async def test_a_number_that_is_none_of_the_org_s_sends_nothing(web: Web, client: Client) -> None:
    reply = await client.send(sender="+15550001111")
    assert (reply.status, said(reply)["said"]) == (404, "unknown_sim")
    assert await stored(web) == []


async def test_an_assistant_s_number_goes_by_its_carrier(web: Web, client: Client) -> None:
    reply = await client.send(sender=NUMBER, text="by carrier")
    assert reply.status == 200, reply.body
    (sent,) = web.carrier.taken
    assert (sent.sender, sent.recipient, sent.body) == (NUMBER, TO, "by carrier")
    assert web.phones.pushed == []
    (message,) = await stored(web)
    assert said(reply)[0]["id"] == message.id


async def test_what_a_carrier_refuses_is_said_in_the_dialect_s_words(
    web: Web, client: Client
) -> None:
    key = {"idempotency-key": "once"}
    for _ in range(2):
        web.carrier.answers = [CarrierRefusal(CarrierFault(code="40001", text="No such number"))]
        reply = await client.send(sender=NUMBER, headers=key)
        assert (reply.status, said(reply)["said"]) == (500, "provider_failed")
    # The repeat got the first answer.
    assert len(web.carrier.answers) == 1
    (message,) = await stored(web)
    assert message.status == "failed"


async def test_what_a_carrier_may_have_taken_is_not_failed(web: Web, client: Client) -> None:
    web.carrier.answers = [OutcomeUnknown("It broke off.") for _ in range(9)]
    reply = await client.send(sender=NUMBER)
    (said_of,) = said(reply)
    assert said_of["status"] == "uncertain", "a client would send what has failed again"


@pytest.mark.parametrize("asked", [{}, {"sender": NUMBER}, {"sender": NUMBER, "to": [TO, ANOTHER]}])
async def test_a_repeat_gets_its_first_answer(
    web: Web, client: Client, asked: dict[str, Any]
) -> None:
    key = {"idempotency-key": "once"}
    first = await client.send(headers=key, **asked)
    again = await client.send(headers=key, **asked)
    assert (first.status, again.status, again.body) == (200, 200, first.body)
    assert ("Idempotent-Replayed", "true") in again.headers
    assert len(await stored(web)) == len(said(first))
    for changed in ({"text": "another"}, {"to": [OTHER]}, {"ttl": 60}, {"called": CALLED}):
        other = await client.send(headers=key, **{**asked, **changed})
        assert (other.status, changed) == (422, changed)


async def test_a_list_that_ended_amid_its_messages_goes_on_when_it_is_repeated(
    web: Web, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by a kill, or the deadline of a request: its answer is not kept, its messages are."""

    async def ends(*_: object) -> None:
        raise trio.TooSlowError

    key = {"idempotency-key": "once"}
    with monkeypatch.context() as patch:
        patch.setattr(web.services.idempotency, "keep", ends)
        first = await client.send(sender=NUMBER, to=[TO, ANOTHER], headers=key)
    assert first.status == 503
    ids = [message.id for message in await stored(web)]
    assert len(ids) == len(web.carrier.taken) == 2
    changed = await client.send(sender=NUMBER, to=[TO, ANOTHER], text="another", headers=key)
    assert changed.status == 422
    more = await client.send(sender=NUMBER, to=[TO, ANOTHER], headers=key)
    assert sorted(one["id"] for one in said(more)) == sorted(ids)
    assert [one["to"] for one in said(more)] == [TO, ANOTHER]
    assert len(web.carrier.taken) == 2


async def test_a_list_is_not_repeated_while_its_first_message_is_being_found_out(
    web: Web, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = {"idempotency-key": "once"}

    async def dies(*_: object, **__: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr("phonegate.domain.carrier_sending.hand_over", dies)
        ended = await client.send(sender=NUMBER, to=[TO, ANOTHER], headers=key)
    assert ended.status == 500
    again = await client.send(sender=NUMBER, to=[TO, ANOTHER], headers=key)
    assert (again.status, said(again)["said"]) == (409, "conflict")
    assert len(await stored(web)) == 1


async def test_a_limit_amid_a_carrier_s_list_says_what_was_not_sent(
    web: Web, client: Client
) -> None:
    limits = {"name": "few", "scopes": ["send"], "limits": {"per_hour": 1}}
    made = await web.call("POST", f"/keys/{ORG}", limits)
    limited = Client(web, made.json["key"])
    reply = await limited.send(sender=NUMBER, to=[TO, ANOTHER])
    first, second = said(reply)
    assert (first["to"], first["error"]) == (TO, None)
    assert (second["to"], second["id"], second["status"]) == (ANOTHER, 0, "failed")
    assert "hour" in second["error"]
    assert len(web.carrier.taken) == 1


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"to": ["x", TO, "+"]}, ["to", "to"]),
        ({"to": []}, ["to"]),
        ({"text": ""}, ["text"]),
        ({"text": "a\0b"}, ["text"]),
        ({"text": "a" * (153 * MAX_SEGMENTS + 1)}, ["text"]),
        ({"ttl": 0}, ["ttl"]),
        ({"ahead": 366 * 86_400_000}, ["send_at"]),
        ({"media": ["https://example.org/a.png"]}, ["media_urls"]),
    ],
)
async def test_all_that_is_wrong_is_named_and_nothing_is_sent(
    web: Web, client: Client, asked: dict[str, Any], named: list[str]
) -> None:
    reply = await client.send(**asked)
    assert (reply.status, said(reply)["to"]) == (400, named), reply.body
    assert await stored(web) == []


async def test_the_longest_text_is_sent(web: Web, client: Client) -> None:
    reply = await client.send(text="a" * (153 * MAX_SEGMENTS))
    assert reply.status == 200, reply.body
    (message,) = await stored(web)
    assert (message.segments, len(message.body)) == (MAX_SEGMENTS, 153 * MAX_SEGMENTS)


async def test_the_longest_text_is_sent_however_long_those_of_the_org_are(
    web: Web, client: Client
) -> None:
    org = await web.services.accounts.orgs.named(ORG)
    await web.services.org_options.set(org.id, max_characters=10)
    reply = await client.send(text="ж" * (67 * MAX_SEGMENTS))
    assert reply.status == 200, reply.body
    reply = await client.send(text="ж" * (67 * MAX_SEGMENTS + 1))
    assert (reply.status, said(reply)["to"]) == (400, ["text"])
    assert "takes 256 segments, at most 255 are allowed" in said(reply)["why"]


async def test_what_is_too_long_for_a_carrier_is_refused_before_it_is_asked(
    web: Web, client: Client
) -> None:
    for to in ([TO], [TO, ANOTHER]):
        reply = await client.send(to=to, sender=NUMBER, text="a" * 1_601)
        assert (reply.status, said(reply)["to"]) == (400, ["text"])
        assert "the carrier of this number takes at most 1600" in said(reply)["why"]
    assert await stored(web) == []
    assert (await client.send(sender=NUMBER, text="a" * 1_600)).status == 200


async def test_national_numbers_are_those_of_the_org_s_country(web: Web, client: Client) -> None:
    national = "0171 5550001, 491715550002; 0171-5550001"
    reply = await client.send(to=[national])
    assert (reply.status, said(reply)["to"]) == (400, ["to", "to"])
    assert "number 1, that is no phone number: write + and the country code" in said(reply)["why"]
    org = await web.services.accounts.orgs.named(ORG)
    await web.services.org_options.set(org.id, default_country="DE")
    reply = await client.send(to=[national])
    assert [one["to"] for one in said(reply)] == ["+491715550001", "+491715550002"]
    many = ",".join(f"0171{n:07}" for n in range(501))
    reply = await client.send(to=[many])
    assert (reply.status, said(reply)["to"]) == (400, ["to"])
    assert "more than 500" in said(reply)["why"]


async def test_media_go_by_a_phone_that_can_send_them(web: Web, client: Client) -> None:
    able = OnlinePhone(
        phone=2,
        device_id="b",
        name=None,
        sims=(Sim(slot=0, number=ANOTHER),),
        features=frozenset({MMS}),
    )
    web.phones.phones.append(able)
    reply = await client.send(media=["https://example.org/a.png"], text="")
    assert reply.status == 200, reply.body
    (message,) = web.phones.pushed
    assert (message.phone, message.media_urls) == (2, ("https://example.org/a.png",))


async def test_all_or_none_of_a_list_of_phones(web: Web, client: Client) -> None:
    limits = {"name": "few", "scopes": ["send"], "limits": {"to": [TO]}}
    made = await web.call("POST", f"/keys/{ORG}", limits)
    reply = await Client(web, made.json["key"]).send(to=[TO, ANOTHER])
    assert (reply.status, said(reply)["to"]) == (403, ["to"])
    assert await stored(web) == []
