"""The fake carriers, held to the contract by the carriers' own SDKs."""

import json
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import urlsplit

import attrs
import httpx
import pytest
import trio

# Twilio's SDK carries annotations without the marker file that would make them count.
from twilio.base.exceptions import TwilioRestException  # type: ignore[import-untyped]
from twilio.http.http_client import TwilioHttpClient  # type: ignore[import-untyped]
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]
from twilio.rest import Client  # type: ignore[import-untyped]

from kit.fake_carrier import (
    FakeCarrier,
    FakeCarrierProcess,
    Fault,
    FaultKind,
    RandomFaults,
    wire,
)
from kit.fake_carrier.exchange import Settings
from kit.fake_carrier.faults import COMMON, Trouble
from tests.patience import PATIENCE_S

from . import telnyx_library as telnyx

TO = "+1555123456"
T = TypeVar("T")
Connect = Callable[..., Client]

MESSAGE_KEYS = {
    "body",
    "num_segments",
    "direction",
    "from",
    "to",
    "date_updated",
    "price",
    "error_message",
    "uri",
    "account_sid",
    "num_media",
    "status",
    "messaging_service_sid",
    "sid",
    "date_sent",
    "date_created",
    "error_code",
    "price_unit",
    "api_version",
    "subresource_uris",
}
"""Of api.v2010.account.message in Twilio's OpenAPI document."""


async def outside(work: Callable[[], T]) -> T:
    """Runs a blocking SDK beside the fake, within a deadline."""
    with trio.fail_after(PATIENCE_S):
        return await trio.to_thread.run_sync(work)


@pytest.fixture
async def carrier(nursery: trio.Nursery) -> FakeCarrier:
    fake = FakeCarrier(settings=Settings(step_s=0.001))
    await nursery.start(fake.serve)
    return fake


@pytest.fixture
async def still(nursery: trio.Nursery) -> FakeCarrier:
    """Its messages stay as they were accepted."""
    fake = FakeCarrier(settings=Settings(step_s=None))
    await nursery.start(fake.serve)
    return fake


@pytest.fixture
def twilio() -> Iterator[Connect]:
    opened: list[TwilioHttpClient] = []

    def connect(fake: FakeCarrier, *, sid: str | None = None, token: str | None = None) -> Client:
        http = TwilioHttpClient(timeout=5)
        opened.append(http)
        client = Client(
            sid or fake.twilio.sid,
            token or fake.twilio.token,
            account_sid=fake.twilio.sid,
            http_client=http,
        )
        client.api.base_url = fake.base_url
        return client

    yield connect
    for http in opened:
        http.session.close()


@pytest.fixture
def telnyx_sdk() -> Iterator[Callable[..., "telnyx.Telnyx"]]:
    opened: list[telnyx.Telnyx] = []

    def connect(fake: FakeCarrier, *, key: str | None = None, retries: int = 0) -> telnyx.Telnyx:
        client = telnyx.Telnyx(
            api_key=key or fake.telnyx.api_key,
            base_url=f"{fake.base_url}/v2",
            max_retries=retries,
            timeout=5,
        )
        opened.append(client)
        return client

    yield connect
    for client in opened:
        client.close()


@attrs.define
class Hook:
    """A webhook that keeps what it gets and answers what it is told, 204 after that."""

    url: str = ""
    seen: list[wire.Request] = attrs.Factory(list)
    answers: list[int] = attrs.Factory(list)

    async def handle(self, request: wire.Request) -> wire.Answer:
        self.seen.append(request)
        return wire.Answer(status=self.answers.pop(0) if self.answers else 204)


@pytest.fixture
async def hook(nursery: trio.Nursery) -> Hook:
    hook = Hook()
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    hook.url = f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}/hook?assistant=1"

    async def connection(stream: trio.SocketStream) -> None:
        await wire.serve_connection(stream, hook.handle)

    await nursery.start(trio.serve_listeners, connection, listeners)
    return hook


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
        yield client


class BearerAuth(httpx.Auth):
    def __init__(self, key: str) -> None:
        self.key = key

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = f"Bearer {self.key}"
        yield request


def messages_url(fake: FakeCarrier) -> str:
    return f"{fake.base_url}/2010-04-01/Accounts/{fake.twilio.sid}/Messages.json"


async def post_twilio(client: httpx.AsyncClient, fake: FakeCarrier, **form: str) -> httpx.Response:
    return await client.post(
        messages_url(fake),
        data={"To": TO, "From": fake.twilio.numbers[0], "Body": "hello", **form},
        auth=(fake.twilio.sid, fake.twilio.token),
    )


async def post_telnyx(
    client: httpx.AsyncClient, fake: FakeCarrier, *, key: str | None = None, **fields: Any
) -> httpx.Response:
    return await client.post(
        f"{fake.base_url}/v2/messages",
        json={"to": TO, "from": fake.telnyx.numbers[0], "text": "hello", **fields},
        headers={"Idempotency-Key": key} if key else {},
        auth=BearerAuth(fake.telnyx.api_key),
    )


class TestTwilio:
    async def test_the_sdk_sends_and_sees_it_delivered(
        self, carrier: FakeCarrier, twilio: Connect
    ) -> None:
        client = twilio(carrier)
        sent = await outside(
            lambda: client.messages.create(to=TO, from_=carrier.twilio.numbers[0], body="grüß Gott")
        )
        assert (sent.status, sent.direction, sent.num_segments) == ("queued", "outbound-api", "1")
        assert sent.date_sent is None
        await carrier.wait_for(sent.sid, "delivered")
        now = await outside(client.messages(sent.sid).fetch)
        assert now.status == "delivered"
        assert now.date_sent is not None
        assert [state for state, _ in carrier.ledger.accepted[0].history] == [
            "queued",
            "sending",
            "sent",
            "delivered",
        ]

    async def test_a_message_has_exactly_the_documented_keys(
        self, still: FakeCarrier, http: httpx.AsyncClient
    ) -> None:
        answer = await post_twilio(http, still)
        assert answer.status_code == 201
        assert set(answer.json()) == MESSAGE_KEYS
        assert set(answer.json()["subresource_uris"]) == {"media"}

    async def test_media_make_an_mms(self, still: FakeCarrier, twilio: Connect) -> None:
        client = twilio(still)
        urls = ["https://example.com/a.png", "https://example.com/b.jpg"]
        sent = await outside(
            lambda: client.messages.create(to=TO, from_=still.twilio.numbers[0], media_url=urls)
        )
        assert sent.sid.startswith("MM")
        assert sent.num_media == "2"
        media = await outside(client.messages(sent.sid).media.list)
        assert [medium.content_type for medium in media] == ["image/png", "image/jpeg"]
        assert still.ledger.accepted[0].media == tuple(urls)

    async def test_a_messaging_service_chooses_the_sender_later(
        self, carrier: FakeCarrier, twilio: Connect
    ) -> None:
        client = twilio(carrier)
        sent = await outside(
            lambda: client.messages.create(
                to=TO, messaging_service_sid=carrier.twilio.services[0], body="hello"
            )
        )
        assert (sent.status, sent.from_) == ("accepted", None)
        assert (await carrier.wait_for(sent.sid)).sender == carrier.twilio.numbers[0]

    async def test_the_sdk_pages_through_a_list_newest_first(
        self, still: FakeCarrier, twilio: Connect, http: httpx.AsyncClient
    ) -> None:
        for number in range(5):
            await post_twilio(http, still, Body=str(number))
        await post_twilio(http, still, To="+15559990000", Body="another")
        client = twilio(still)
        found = await outside(lambda: client.messages.list(to=TO, page_size=2))
        assert [message.body for message in found] == ["4", "3", "2", "1", "0"]
        lists = [seen for seen in still.ledger.requests if seen.method == "GET"]
        assert len(lists) == 3

    async def test_a_page_stays_put_when_new_messages_come(
        self, still: FakeCarrier, http: httpx.AsyncClient
    ) -> None:
        auth = (still.twilio.sid, still.twilio.token)
        for number in range(3):
            await post_twilio(http, still, Body=str(number))
        first = (await http.get(messages_url(still), params={"PageSize": 2}, auth=auth)).json()
        await post_twilio(http, still, Body="new")
        second = (await http.get(still.base_url + first["next_page_uri"], auth=auth)).json()
        assert [message["body"] for message in second["messages"]] == ["0"]
        assert second["next_page_uri"] is None

    async def test_dates_filter_by_when_it_was_sent(
        self, carrier: FakeCarrier, twilio: Connect
    ) -> None:
        client = twilio(carrier)
        sent = await outside(
            lambda: client.messages.create(to=TO, from_=carrier.twilio.numbers[0], body="hello")
        )
        await carrier.wait_for(sent.sid)
        now = datetime.now(UTC)

        def found(**when: datetime) -> bool:
            return bool(client.messages.list(to=TO, **when))

        assert await outside(lambda: found(date_sent_after=now - timedelta(minutes=1)))
        assert not await outside(lambda: found(date_sent_after=now + timedelta(minutes=1)))
        assert await outside(lambda: found(date_sent_before=now + timedelta(minutes=1)))
        assert not await outside(lambda: found(date_sent_before=now - timedelta(minutes=1)))

    async def test_what_was_not_sent_yet_is_in_no_range_of_dates(
        self, still: FakeCarrier, twilio: Connect
    ) -> None:
        client = twilio(still)
        await outside(
            lambda: client.messages.create(to=TO, from_=still.twilio.numbers[0], body="hello")
        )
        hour_ago = datetime.now(UTC) - timedelta(hours=1)
        assert not await outside(lambda: client.messages.list(date_sent_after=hour_ago))
        still.settings.unsent_match_dates = True
        assert await outside(lambda: client.messages.list(date_sent_after=hour_ago))

    async def test_a_list_may_lag_behind(
        self, still: FakeCarrier, twilio: Connect, http: httpx.AsyncClient
    ) -> None:
        still.settings.listing_delay_s = 3600
        sid = (await post_twilio(http, still)).json()["sid"]
        client = twilio(still)
        assert await outside(lambda: client.messages.list(to=TO)) == []
        assert (await outside(client.messages(sid).fetch)).sid == sid

    async def test_a_finished_message_can_be_deleted_and_stays_on_the_air(
        self, carrier: FakeCarrier, twilio: Connect, http: httpx.AsyncClient
    ) -> None:
        client = twilio(carrier)
        sid = (await post_twilio(http, carrier)).json()["sid"]
        await carrier.wait_for(sid)
        assert await outside(client.messages(sid).delete)
        with pytest.raises(TwilioRestException) as gone:
            await outside(client.messages(sid).fetch)
        assert (gone.value.status, gone.value.code) == (404, 20404)
        assert len(carrier.ledger.accepted) == 1

    async def test_account_and_numbers(self, still: FakeCarrier, twilio: Connect) -> None:
        client = twilio(still)
        account = await outside(client.api.v2010.accounts(still.twilio.sid).fetch)
        assert account.status == "active"
        numbers = await outside(client.incoming_phone_numbers.list)
        assert tuple(number.phone_number for number in numbers) == still.twilio.numbers

    async def test_a_wrong_token_is_refused(self, still: FakeCarrier, twilio: Connect) -> None:
        client = twilio(still, token="wrong")
        with pytest.raises(TwilioRestException) as refused:
            await outside(lambda: client.messages.create(to=TO, from_="+15005550006", body="x"))
        assert (refused.value.status, refused.value.code) == (401, 20003)
        assert still.ledger.accepted == []

    async def test_an_api_key_serves_in_place_of_the_token(
        self, still: FakeCarrier, twilio: Connect
    ) -> None:
        still.twilio.keys["SK" + "0" * 32] = "secret"
        client = twilio(still, sid="SK" + "0" * 32, token="secret")
        sent = await outside(
            lambda: client.messages.create(to=TO, from_="+15005550006", body="hello")
        )
        assert sent.account_sid == still.twilio.sid

    @pytest.mark.parametrize(
        ("form", "code"),
        [
            ({"To": ""}, 21604),
            ({"To": "12"}, 21211),
            ({"To": "+15005550001"}, 21211),
            ({"To": "+15005550009"}, 21614),
            ({"From": ""}, 21603),
            ({"From": "+15550000000"}, 21606),
            ({"Body": ""}, 21602),
            ({"Body": "x" * 1601}, 21617),
            ({"MediaUrl": "no url"}, 21620),
            ({"StatusCallback": "no url"}, 21609),
            ({"StatusCallback": "http://[broken"}, 21609),
            ({"To": "+15005550004"}, 21610),
        ],
    )
    async def test_bad_input_gets_the_documented_code(
        self, still: FakeCarrier, http: httpx.AsyncClient, form: dict[str, str], code: int
    ) -> None:
        answer = await post_twilio(http, still, **form)
        assert answer.status_code == 400
        error = answer.json()
        assert (error["code"], error["status"]) == (code, 400)
        assert error["more_info"] == f"https://www.twilio.com/docs/errors/{code}"
        assert set(error) == {"code", "message", "more_info", "status"}
        assert still.ledger.accepted == []

    async def test_stop_opts_out_and_start_in_again(
        self, carrier: FakeCarrier, http: httpx.AsyncClient
    ) -> None:
        ours = carrier.twilio.numbers[0]
        await carrier.receive("twilio", sender=TO, recipient=ours, text=" Stop ")
        assert (await post_twilio(http, carrier)).json()["code"] == 21610
        await carrier.receive("twilio", sender=TO, recipient=ours, text="START")
        assert (await post_twilio(http, carrier)).status_code == 201

    @pytest.mark.parametrize(("code", "final"), [(30003, "undelivered"), (30001, "failed")])
    async def test_a_magic_number_fails_with_its_code(
        self, carrier: FakeCarrier, http: httpx.AsyncClient, code: int, final: str
    ) -> None:
        sid = (await post_twilio(http, carrier, To=f"+150055{code}")).json()["sid"]
        sms = await carrier.wait_for(sid)
        assert (sms.status, sms.error_code) == (final, code)

    async def test_the_sdks_validator_accepts_status_callbacks(
        self, carrier: FakeCarrier, twilio: Connect, hook: Hook
    ) -> None:
        client = twilio(carrier)
        sent = await outside(
            lambda: client.messages.create(
                to=TO, from_=carrier.twilio.numbers[0], body="hello", status_callback=hook.url
            )
        )
        await carrier.wait_for_callbacks(3)
        assert [dict(seen.form)["MessageStatus"] for seen in hook.seen] == [
            "sending",
            "sent",
            "delivered",
        ]
        validator = RequestValidator(carrier.twilio.token)
        for seen in hook.seen:
            fields = dict(seen.form)
            assert fields["MessageSid"] == sent.sid
            signature = seen.header("x-twilio-signature")
            assert validator.validate(hook.url, fields, signature)
            assert not validator.validate(hook.url, {**fields, "To": "+1"}, signature)

    async def test_inbound_mms_comes_signed_with_an_empty_body(
        self, carrier: FakeCarrier, twilio: Connect, hook: Hook
    ) -> None:
        carrier.twilio.sms_url = hook.url
        ours = carrier.twilio.numbers[0]
        sms, calls = await carrier.receive(
            "twilio", sender=TO, recipient=ours, media=["https://example.com/cat.png"]
        )
        assert [call.status for call in calls] == [204]
        (seen,) = hook.seen
        fields = dict(seen.form)
        assert (fields["MessageSid"], fields["From"], fields["To"]) == (sms.id, TO, ours)
        assert (fields["Body"], fields["NumMedia"], fields["MediaContentType0"]) == (
            "",
            "1",
            "image/png",
        )
        assert RequestValidator(carrier.twilio.token).validate(
            hook.url, fields, seen.header("x-twilio-signature")
        )
        client = twilio(carrier)
        (listed,) = await outside(lambda: client.messages.list(from_=TO))
        assert (listed.direction, listed.status) == ("inbound", "received")


class TestTelnyx:
    async def test_the_sdk_sends_and_sees_it_delivered(
        self, carrier: FakeCarrier, telnyx_sdk: Callable[..., "telnyx.Telnyx"]
    ) -> None:
        client = telnyx_sdk(carrier)
        sent = await outside(
            lambda: client.messages.send(
                to=TO,
                from_=carrier.telnyx.numbers[0],
                text="grüß Gott ✓",
                media_urls=["https://example.com/a.png"],
                subject="Hi",
            )
        )
        assert sent.data is not None
        assert sent.data.id is not None
        assert sent.data.to is not None
        assert (sent.data.type, sent.data.subject, sent.data.encoding) == ("MMS", "Hi", "UCS-2")
        assert sent.data.to[0].status == "queued"
        await carrier.wait_for(sent.data.id, "delivered")
        message = sent.data.id
        now = (await outside(lambda: client.messages.retrieve(message))).data
        assert now is not None
        assert now.direction == "outbound"
        assert now.completed_at is not None

    async def test_a_key_gives_the_first_answer_again(
        self, still: FakeCarrier, telnyx_sdk: Callable[..., "telnyx.Telnyx"]
    ) -> None:
        client = telnyx_sdk(still)

        def send(text: str) -> Any:
            return client.messages.send(
                to=TO, from_=still.telnyx.numbers[0], text=text, idempotency_key="phonegate:17"
            ).data

        first = await outside(lambda: send("hello"))
        again = await outside(lambda: send("hello"))
        assert first == again
        assert len(still.ledger.accepted) == 1
        with pytest.raises(telnyx.UnprocessableEntityError):
            await outside(lambda: send("another"))
        assert len(still.ledger.accepted) == 1

    async def test_a_refusal_is_not_kept_under_the_key(
        self, still: FakeCarrier, http: httpx.AsyncClient
    ) -> None:
        still.opt_out(still.telnyx.numbers[0], TO)
        assert (await post_telnyx(http, still, key="k")).json()["errors"][0]["code"] == "40300"
        still.opt_in(still.telnyx.numbers[0], TO)
        assert (await post_telnyx(http, still, key="k")).status_code == 200

    async def test_a_wrong_key_is_refused(
        self, still: FakeCarrier, telnyx_sdk: Callable[..., "telnyx.Telnyx"]
    ) -> None:
        client = telnyx_sdk(still, key="KEYwrong")
        with pytest.raises(telnyx.AuthenticationError) as refused:
            await outside(lambda: client.messages.send(to=TO, from_="+1", text="x"))
        assert json.loads(refused.value.response.content)["errors"][0]["code"] == "10009"

    @pytest.mark.parametrize(
        ("fields", "status", "code"),
        [
            ({"to": None}, 422, "10004"),
            ({"from": None}, 422, "10004"),
            ({"text": ""}, 422, "10004"),
            ({"text": 7}, 400, "10015"),
            ({"to": "12"}, 400, "10016"),
            ({"from": "+15550000000"}, 400, "40305"),
            ({"media_urls": ["no url"]}, 400, "10003"),
            ({"to": "+15005540300"}, 409, "40300"),
        ],
    )
    async def test_bad_input_gets_the_documented_code(
        self,
        still: FakeCarrier,
        http: httpx.AsyncClient,
        fields: dict[str, Any],
        status: int,
        code: str,
    ) -> None:
        answer = await post_telnyx(http, still, **fields)
        (error,) = answer.json()["errors"]
        assert (answer.status_code, error["code"]) == (status, code)
        assert error["title"]
        assert still.ledger.accepted == []

    async def test_an_unknown_message_is_not_found(
        self, still: FakeCarrier, telnyx_sdk: Callable[..., "telnyx.Telnyx"]
    ) -> None:
        client = telnyx_sdk(still)
        with pytest.raises(telnyx.NotFoundError):
            await outside(lambda: client.messages.retrieve("00000000-0000-4000-8000-000000000000"))

    @pytest.mark.parametrize(
        ("to", "final", "code"),
        [
            ("+15005540001", "delivery_failed", 40001),
            ("+15005540014", "sending_failed", 40014),
            ("+15005540005", "expired", 40005),
            ("+15005500000", "delivery_unconfirmed", None),
        ],
    )
    async def test_a_magic_number_fails_with_its_code(
        self,
        carrier: FakeCarrier,
        http: httpx.AsyncClient,
        to: str,
        final: str,
        code: int | None,
    ) -> None:
        message = (await post_telnyx(http, carrier, to=to)).json()["data"]["id"]
        sms = await carrier.wait_for(message)
        assert (sms.status, sms.error_code) == (final, code)

    async def test_the_sdks_validator_accepts_callbacks(
        self,
        carrier: FakeCarrier,
        http: httpx.AsyncClient,
        hook: Hook,
        telnyx_sdk: Callable[..., "telnyx.Telnyx"],
    ) -> None:
        await post_telnyx(http, carrier, webhook_url=hook.url)
        await carrier.wait_for_callbacks(2)
        _, calls = await carrier.receive(
            "telnyx", sender=TO, recipient=carrier.telnyx.numbers[0], text="hi", url=hook.url
        )
        assert [call.status for call in calls] == [204]
        client = telnyx_sdk(carrier)
        events = []
        for seen in hook.seen:
            headers = dict(seen.headers)
            payload = seen.body.decode()
            telnyx.verify_webhook_signature(payload, headers, carrier.telnyx.public_key)
            with pytest.raises(telnyx.WebhookVerificationError):
                telnyx.verify_webhook_signature(payload + " ", headers, carrier.telnyx.public_key)
            event: Any = client.webhooks.unsafe_unwrap(payload)
            events.append((event.data.event_type, event.data.payload.to[0].status))
        assert events == [
            ("message.sent", "sent"),
            ("message.finalized", "delivered"),
            ("message.received", "webhook_delivered"),
        ]

    async def test_an_unanswered_callback_is_tried_thrice_then_elsewhere(
        self, carrier: FakeCarrier, http: httpx.AsyncClient, hook: Hook
    ) -> None:
        carrier.weather(retry_pause_s=0)
        hook.answers = [500, 500, 500]
        await post_telnyx(
            http, carrier, webhook_url=hook.url, webhook_failover_url=hook.url + "&failover=1"
        )
        calls = await carrier.wait_for_callbacks(5)
        assert [(call.status, call.attempt, call.url.endswith("failover=1")) for call in calls] == [
            (500, 1, False),
            (500, 2, False),
            (500, 3, False),
            (204, 4, True),
            (204, 1, False),
        ]
        first, second = (json.loads(seen.body) for seen in hook.seen[:2])
        assert first["data"] == second["data"]
        assert [first["meta"]["attempt"], second["meta"]["attempt"]] == [1, 2]


class TestWeather:
    async def test_callbacks_come_twice(
        self, carrier: FakeCarrier, http: httpx.AsyncClient, hook: Hook
    ) -> None:
        carrier.weather(repeat=1)
        await post_twilio(http, carrier, StatusCallback=hook.url)
        calls = await carrier.wait_for_callbacks(6)
        assert [call.event for call in calls] == [
            *["sending"] * 2,
            *["sent"] * 2,
            *["delivered"] * 2,
        ]
        assert hook.seen[0].body == hook.seen[1].body

    async def test_callbacks_come_out_of_order(
        self, carrier: FakeCarrier, http: httpx.AsyncClient, hook: Hook
    ) -> None:
        carrier.weather(shuffle=1)
        await post_twilio(http, carrier, StatusCallback=hook.url)
        calls = await carrier.wait_for_callbacks(3)
        states = [call.event for call in calls]
        assert sorted(states) == ["delivered", "sending", "sent"]
        assert states != ["sending", "sent", "delivered"]

    async def test_callbacks_are_lost(
        self, carrier: FakeCarrier, http: httpx.AsyncClient, hook: Hook
    ) -> None:
        carrier.weather(drop=True)
        sid = (await post_twilio(http, carrier, StatusCallback=hook.url)).json()["sid"]
        await carrier.wait_for(sid)
        carrier.fair_weather()
        await carrier.advance(sid, "read")
        assert [dict(seen.form)["MessageStatus"] for seen in hook.seen] == ["read"]

    async def test_a_dead_webhook_is_noted(
        self, carrier: FakeCarrier, http: httpx.AsyncClient
    ) -> None:
        await post_twilio(http, carrier, StatusCallback="http://127.0.0.1:1/gone")
        calls = await carrier.wait_for_callbacks(3)
        assert {(call.status, call.error) for call in calls} == {(None, "ConnectError")}


Post = Callable[[httpx.AsyncClient, FakeCarrier], Any]


@pytest.mark.parametrize("post", [post_twilio, post_telnyx], ids=["twilio", "telnyx"])
class TestFaults:
    @pytest.mark.parametrize(
        ("kind", "accepted"),
        [
            ("rate_limited", 0),
            ("unavailable", 0),
            ("error_before", 0),
            ("error_after", 1),
            ("garbage", 1),
        ],
    )
    async def test_a_wrong_answer(
        self,
        still: FakeCarrier,
        http: httpx.AsyncClient,
        post: Post,
        kind: FaultKind,
        accepted: int,
    ) -> None:
        still.fault(Fault(kind=kind, retry_after_s=7))
        answer = await post(http, still)
        assert len(still.ledger.accepted) == accepted
        match kind:
            case "rate_limited":
                assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
            case "unavailable":
                assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")
            case "garbage":
                assert answer.is_success
                with pytest.raises(json.JSONDecodeError):
                    answer.json()
            case _:
                assert answer.status_code == 500
                assert answer.json()
        assert (await post(http, still)).is_success
        assert [seen.fault for seen in still.ledger.requests] == [kind, None]

    @pytest.mark.parametrize(
        ("kind", "accepted", "error"),
        [
            ("cut_before", 0, httpx.ReadError),
            ("cut_after", 1, httpx.ReadError),
            ("truncated", 1, httpx.RemoteProtocolError),
            ("noise", 1, httpx.RemoteProtocolError),
        ],
    )
    async def test_a_broken_link(
        self,
        still: FakeCarrier,
        http: httpx.AsyncClient,
        post: Post,
        kind: FaultKind,
        accepted: int,
        error: type[Exception],
    ) -> None:
        still.fault(Fault(kind=kind))
        with pytest.raises(error):
            await post(http, still)
        assert len(still.ledger.accepted) == accepted
        assert (await post(http, still)).is_success

    async def test_slow_is_accepted_before_it_is_answered(
        self, still: FakeCarrier, http: httpx.AsyncClient, nursery: trio.Nursery, post: Post
    ) -> None:
        still.fault(Fault(kind="slow", delay_s=3600))
        nursery.start_soon(post, http, still)
        with trio.fail_after(PATIENCE_S):
            await still.wait_until(lambda: bool(still.ledger.accepted))
        nursery.cancel_scope.cancel()

    async def test_late_is_accepted_even_when_the_client_has_gone(
        self,
        still: FakeCarrier,
        http: httpx.AsyncClient,
        post: Post,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        late = trio.Event()

        async def sleep(seconds: float) -> None:
            assert seconds == 7
            await late.wait()

        monkeypatch.setattr(still, "_sleep", sleep)
        still.fault(Fault(kind="late_accept", delay_s=7))
        with trio.fail_after(PATIENCE_S):
            async with trio.open_nursery() as client:
                client.start_soon(post, http, still)
                await still.wait_until(lambda: not still.trouble.waiting)
                assert still.ledger.accepted == []
                client.cancel_scope.cancel()
            late.set()
            await still.wait_until(lambda: bool(still.ledger.accepted))

    async def test_the_other_carrier_goes_on(
        self, still: FakeCarrier, http: httpx.AsyncClient, post: Post
    ) -> None:
        own = "twilio" if post is post_twilio else "telnyx"
        still.fault(Fault(kind="error_before", carrier=own))  # type: ignore[arg-type]  # one of two
        other = post_telnyx if own == "twilio" else post_twilio
        assert (await other(http, still)).is_success
        assert (await post(http, still)).status_code == 500


async def test_a_fault_for_reads_leaves_sends_alone(
    still: FakeCarrier, http: httpx.AsyncClient
) -> None:
    still.fault(Fault(kind="error_before", on="read", times=2))
    sid = (await post_twilio(http, still)).json()["sid"]
    url = messages_url(still).replace(".json", f"/{sid}.json")
    auth = (still.twilio.sid, still.twilio.token)
    assert [(await http.get(url, auth=auth)).status_code for _ in range(3)] == [500, 500, 200]


def test_chance_repeats_itself_for_a_seed() -> None:
    def plan(seed: int) -> list[str | None]:
        trouble = Trouble()
        trouble.by_chance(RandomFaults(seed=seed, rate=0.5))
        faults = (trouble.take("twilio", "send") for _ in range(200))
        return [None if fault is None else fault.kind for fault in faults]

    assert plan(1) == plan(1) != plan(2)
    assert set(plan(1)) == {None, *COMMON}


async def test_requests_are_kept_byte_for_byte(still: FakeCarrier) -> None:
    first = (
        b"POST /v2/messages HTTP/1.1\r\nHost: x\r\nX-Odd:  Case \r\n"
        b"Transfer-Encoding: chunked\r\n\r\n3\r\n{}\n\r\n0\r\n\r\n"
    )
    second = b"GET /v2/messages/1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    host, port = urlsplit(still.base_url).netloc.split(":")
    async with await trio.open_tcp_stream(host, int(port)) as stream:
        await stream.send_all(first + second)
        with trio.fail_after(PATIENCE_S):
            answers = b"".join([bytes(chunk) async for chunk in stream])
    assert answers.count(b"HTTP/1.1 401") == 2
    assert [seen.raw for seen in still.ledger.requests] == [first, second]
    assert still.ledger.requests[0].body == b"{}\n"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/2010-04-01/Accounts/AC0123456789abcdef0123456789abcdef/Messages.json", b"To=%ff&\xff=1"),
        ("/v2/messages", b"[" * 100_000),
        ("/v2/messages", b'{"to": ["+1555123456"], "from": "+15005550010", "text": "\\ud800"}'),
        ("/v2/messages", b"\xff"),
        ("/_control", b"null"),
        ("/%ff", b""),
    ],
)
async def test_nonsense_is_answered(
    still: FakeCarrier, http: httpx.AsyncClient, path: str, body: bytes
) -> None:
    auth: httpx.Auth = httpx.BasicAuth(still.twilio.sid, still.twilio.token)
    if path.startswith("/v2"):
        auth = BearerAuth(still.telnyx.api_key)
    answer = await http.post(still.base_url + path, content=body, auth=auth)
    assert answer.status_code < 500
    assert answer.json()


async def test_a_broken_peer_ends_nothing_else(still: FakeCarrier, http: httpx.AsyncClient) -> None:
    host, port = urlsplit(still.base_url).netloc.split(":")
    for noise in (
        b"\x00\x01\x02\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n",
    ):
        async with await trio.open_tcp_stream(host, int(port)) as stream:
            await stream.send_all(noise)
            await stream.send_eof()
            with trio.fail_after(PATIENCE_S):
                await stream.receive_some()
    assert (await post_twilio(http, still)).is_success


def test_as_a_process_it_takes_orders_and_shows_its_ledger() -> None:
    with FakeCarrierProcess() as carrier, httpx.Client(trust_env=False) as client:
        account = carrier.accounts()["twilio"]

        def send() -> int:
            return client.post(
                f"{carrier.url}/2010-04-01/Accounts/{account['account_sid']}/Messages.json",
                data={"To": TO, "From": account["numbers"][0], "Body": "hello"},
                auth=(account["account_sid"], account["auth_token"]),
            ).status_code

        carrier.control("fault", faults=[{"kind": "error_after", "carrier": "twilio"}])
        assert [send(), send()] == [500, 201]
        carrier.control("receive", carrier="telnyx", sender=TO, recipient="+15005550010", text="x")
        ledger = carrier.ledger()
        assert [sms["text"] for sms in ledger["accepted"]] == ["hello", "hello"]
        assert [sms["text"] for sms in ledger["received"]] == ["x"]
        assert [seen["fault"] for seen in ledger["requests"]] == ["error_after", None]
        assert client.post(f"{carrier.url}/_control", json={"do": "dance"}).status_code == 400
        assert carrier.stop() == 0
