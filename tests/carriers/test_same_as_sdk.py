"""Our requests beside those of the carriers' own libraries, as they came over a socket."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

import attrs
import pytest
import trio
from twilio.rest import Client  # type: ignore[import-untyped]

from phonegate.carriers.registry import CARRIERS
from phonegate.carriers.twilio.client import Twilio
from phonegate.domain.carrier import Outbound
from phonegate.model.times import now_ms

from . import telnyx_library as telnyx
from .samples import API_KEY, DEADLINE_S, SERVICE, SID, TOKEN, message
from .stub import answer, stub

PROFILE = "4000eba1-a0c0-4563-9925-b25e842a7cb6"
MESSAGES = {
    "plain": message(),
    "unicode": message(body="na\u00efve \u2019\U0001f600\n&a=b+c%20d; ~*'()"),
    "media": message(media_urls=("https://example.com/a b.jpg?x=1&y=2", "https://example.com/b")),
    "callback": message(callback_url="https://gw.test/callbacks/twilio/1/tok-en_~?x=%41"),
    "everything": message(
        body="x" * 1600,
        media_urls=("https://example.com/a.jpg",),
        callback_url="https://gw.test/cb",
        recipient="12345",
    ),
}


@attrs.frozen
class Seen:
    """The parts of a request that a carrier looks at."""

    line: str
    headers: dict[str, str]
    body: bytes


def seen(request: bytes, *headers: str) -> Seen:
    head, _, body = request.partition(b"\r\n\r\n")
    line, *rest = head.decode().split("\r\n")
    pairs = (each.partition(":") for each in rest)
    found = {name.lower(): value.strip() for name, _, value in pairs}
    return Seen(line=line, headers={name: found[name] for name in headers}, body=body)


TWILIO_TAKEN = answer(201, json.dumps({"sid": "SM1", "status": "queued"}).encode())
TELNYX_TAKEN = answer(200, json.dumps({"data": {"id": "1", "to": [{"status": "queued"}]}}).encode())


async def by_library(call: Callable[[str], object], taken: Any) -> bytes:
    async with stub(taken) as served:
        await trio.to_thread.run_sync(call, served.url)
        (request,) = served.requests
        return request


async def by_us(provider: str, credentials: dict[str, str], wanted: Outbound, taken: Any) -> bytes:
    async with stub(taken) as served:
        account = CARRIERS[provider].open(served.url, credentials, None)
        await account.send(wanted, deadline_s=DEADLINE_S)
        await account.aclose()
        (request,) = served.requests
        return request


def twilio_client(url: str) -> Any:
    client = Client(SID, TOKEN)
    client.api.base_url = url
    return client


@pytest.mark.parametrize("service", [None, SERVICE], ids=["number", "service"])
@pytest.mark.parametrize("name", MESSAGES)
async def test_twilio_gets_the_bytes_of_its_own_library(name: str, service: str | None) -> None:
    wanted = MESSAGES[name]
    given: dict[str, Any] = {"to": wanted.recipient, "from_": wanted.sender, "body": wanted.body}
    if wanted.media_urls:
        given["media_url"] = list(wanted.media_urls)
    if wanted.callback_url:
        given["status_callback"] = wanted.callback_url
    credentials = {"account_sid": SID, "auth_token": TOKEN}
    if service:
        given["messaging_service_sid"] = credentials["messaging_service_sid"] = service

    def call(url: str) -> None:
        client = twilio_client(url)
        client.messages.create(**given)
        client.http_client.session.close()

    names = ("authorization", "content-type", "accept")
    theirs = seen(await by_library(call, TWILIO_TAKEN), *names)
    ours = seen(await by_us("twilio", credentials, wanted, TWILIO_TAKEN), *names)
    assert ours == theirs
    assert parse_qsl(ours.body.decode())[0] == ("To", wanted.recipient)


@pytest.mark.parametrize("profile", [None, PROFILE], ids=["number", "profile"])
@pytest.mark.parametrize("name", MESSAGES)
async def test_telnyx_gets_the_fields_of_its_own_library(name: str, profile: str | None) -> None:
    wanted = MESSAGES[name]
    given: dict[str, Any] = {"to": wanted.recipient, "from_": wanted.sender, "text": wanted.body}
    if wanted.media_urls:
        given["media_urls"] = list(wanted.media_urls)
    if wanted.callback_url:
        given["webhook_url"] = wanted.callback_url
    credentials = {"api_key": API_KEY}
    if profile:
        given["messaging_profile_id"] = credentials["messaging_profile_id"] = profile

    def call(url: str) -> None:
        with telnyx.Telnyx(api_key=API_KEY, base_url=f"{url}/v2", max_retries=0) as client:
            client.messages.send(**given, idempotency_key=wanted.reference)

    names = ("authorization", "content-type", "accept", "idempotency-key")
    theirs = seen(await by_library(call, TELNYX_TAKEN), *names)
    ours = seen(await by_us("telnyx", credentials, wanted, TELNYX_TAKEN), *names)
    assert (ours.line, ours.headers) == (theirs.line, theirs.headers)
    assert json.loads(ours.body) == json.loads(theirs.body)


async def test_a_state_is_asked_for_as_their_libraries_do() -> None:
    def ask_twilio(url: str) -> None:
        client = twilio_client(url)
        client.messages("SM1").fetch()
        client.http_client.session.close()

    def ask_telnyx(url: str) -> None:
        with telnyx.Telnyx(api_key=API_KEY, base_url=f"{url}/v2", max_retries=0) as client:
            client.messages.retrieve("1")

    for provider, credentials, call, carrier_id, taken in (
        ("twilio", {"account_sid": SID, "auth_token": TOKEN}, ask_twilio, "SM1", TWILIO_TAKEN),
        ("telnyx", {"api_key": API_KEY}, ask_telnyx, "1", TELNYX_TAKEN),
    ):
        theirs = await by_library(call, taken)
        async with stub(taken) as served:
            account = CARRIERS[provider].open(served.url, credentials, None)
            await account.fetch(carrier_id, deadline_s=DEADLINE_S)
            await account.aclose()
        assert seen(served.requests[0], "authorization") == seen(theirs, "authorization")


async def test_twilios_list_is_asked_for_as_its_library_does() -> None:
    page = answer(200, json.dumps({"messages": [], "next_page_uri": None}).encode())
    wanted = message(accepted_at=now_ms())

    def call(url: str) -> None:
        client = twilio_client(url)
        client.messages.list(to=wanted.recipient, from_=wanted.sender, page_size=500)
        client.http_client.session.close()

    theirs = seen(await by_library(call, page), "authorization")
    async with stub(page) as served:
        account = Twilio(served.url, SID, TOKEN, grace_s=0)
        assert await account.find(wanted, deadline_s=DEADLINE_S) is None
        await account.aclose()
    ours = seen(served.requests[0], "authorization")
    assert ours.headers == theirs.headers
    (our_path, _, our_query), (their_path, _, their_query) = (
        each.line.split()[1].partition("?") for each in (ours, theirs)
    )
    assert our_path == their_path
    assert sorted(parse_qsl(our_query)) == sorted(parse_qsl(their_query))
