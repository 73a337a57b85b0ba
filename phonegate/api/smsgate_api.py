"""The API of the app SMS Gateway for Android, by which a phone with that app is one of an org's.

An app shows the token that it got when it registered. What it reports of messages and of itself is
answered once that is committed, so that it repeats what got lost.
"""

import hmac
from collections.abc import Mapping
from time import perf_counter
from typing import Final

import attrs

from phonegate import log
from phonegate.api.endpoint import Answer, Call, Endpoint, Handler
from phonegate.api.errors import ROOM_CODES
from phonegate.domain.enrolments import KnownApp
from phonegate.domain.reported_values import Kind
from phonegate.http.credentials import bearer_token
from phonegate.model.refusals import Forbidden, Unauthorized
from phonegate.phones import frames
from phonegate.phones.smsgate.app_event import Messages, Mms, Started, read_event
from phonegate.phones.smsgate.app_setup import calls_for, settings_for
from phonegate.phones.smsgate.app_version import version_of
from phonegate.phones.smsgate.device_form import read_form, read_json
from phonegate.phones.smsgate.presence import sims_frame
from phonegate.phones.smsgate.state_report import StateReport, read_reports
from phonegate.typed_json.fields import field

BASES: Final = ("/api/mobile/v1", "/mobile/v1")
"""Where the app's own server has this API, at home and in public. The app adds its paths to what
its owner typed."""

HOOK: Final = "/call/{token}"
"""Behind a base: what an app calls with what happens. It gets the whole address."""

FORM_BYTES: Final = 65_536
"""What an app says of its phone has some 500 bytes, and a report some 400."""

EVENT_BYTES: Final = 8_388_608
"""A received MMS comes whole, in Base64. Networks take up to 3 MB."""

WRONG_SIGNATURE: Final = "The signature is not that of this phone."

MAX_AGENT: Final = 100
"""Characters of a User-Agent that are kept. The app's has 27."""

_log = log.get("phones")


@attrs.frozen(kw_only=True)
class Registered:
    """What an app is given when it registers."""

    id: str = field("What the app is called from then on.", example="V1StGXR8Z5jdHi6BmyTaa")
    token: str = field("What it shows from then on.", example="mQ2vX7Lw0ZrT4nYbK8cJd")
    login: str = field("The org.", example="myorg")


@attrs.frozen(kw_only=True)
class Device:
    """What an app gets to know of its own connection."""

    externalIp: str = field("The address that it calls from.", example="192.0.2.7")  # noqa: N815 - the app's own name for it


@attrs.frozen(kw_only=True)
class Nothing:
    """An answer without a body, or with one of the app's own form."""


# --- Registering ------------------------------------------------------------------------------


async def register(call: Call) -> Answer:
    """Makes an app a phone of the org whose API key it shows."""
    services, request = call.services, call.request
    principal = await services.authentication.authenticate(
        bearer_token(request.headers),
        org_name=None,
        address=request.client,
        scope="phone",
        relayed=request.relayed,
    )
    services.rate_limits.request(principal.org, perf_counter())
    form = read_form(request.body)
    sims = form.sims or ()
    before = await services.enrolments.known_before(principal, name=form.name, sims=sims)
    unfetched = await services.presences.replace(None if before is None else before.phone)
    made = await services.enrolments.enrol(
        principal,
        name=form.name,
        sims=sims,
        is_pushed=form.is_pushed,
        agent=_agent(call),
        unfetched=unfetched,
    )
    return Answer(
        status=201,
        content=Registered(id=made.enrolment.app_id, token=made.token, login=principal.org_name),
    )


async def update(call: Call) -> Answer:
    """Takes what an app says of its phone as it starts."""
    app = await _app(call)
    form = read_form(call.request.body)
    if form.app_id not in (None, app.enrolment.app_id):
        raise Forbidden("This token is another phone's.")
    enrolment = await call.services.enrolments.describe(
        app, is_pushed=form.is_pushed, sims=form.sims, agent=_agent(call)
    )
    if form.sims:
        app = attrs.evolve(app, enrolment=enrolment)
        await call.services.presences.say(app, [sims_frame(enrolment.sims)], len(call.request.body))
    return Answer(status=204)


async def device(call: Call) -> Answer:
    """Tells an app from where it calls."""
    return Answer(content=Device(externalIp=call.request.client))


# --- What it asks for -------------------------------------------------------------------------


async def pull(call: Call) -> Answer:
    """Gives an app the messages that it is to send, or to drop."""
    app = await _app(call)
    return Answer(content=await call.services.presences.pull(app))


async def events(call: Call) -> Answer:
    """Opens the stream by which an app is rung."""
    app = await _app(call)
    return Answer(stream=await call.services.presences.stream(app), media="text/event-stream")


async def hooks(call: Call) -> Answer:
    """Tells an app what to report, and where."""
    app = await _app(call)
    return Answer(content=calls_for(version_of(_agent(call)), _hook_address(call, app)))


async def settings(call: Call) -> Answer:
    """Tells an app how to work."""
    app = await _app(call)
    return Answer(content=settings_for(app.enrolment.signing_key))


# --- What it reports --------------------------------------------------------------------------


async def report(call: Call) -> Answer:
    """Records what became of messages."""
    app = await _app(call)
    body = call.request.body
    await call.services.presences.report(app, read_reports(read_json(body)), len(body))
    return Answer(status=204)


async def take(call: Call) -> Answer:
    """Takes what happened to a phone: received messages, results, how it is."""
    services, request = call.services, call.request
    app = await services.enrolments.by_hook(call.path["token"])
    _verify(app, request.headers, request.body)
    services.rate_limits.request(app.enrolment.org, perf_counter())
    body, cleaned = request.body, list[Kind]()
    match read_event(read_json(body), cleaned):
        case Messages() | Mms() as event:
            await services.presences.receive(app, event)
        case StateReport() as found:
            await services.presences.report(app, [found], len(body))
        case frames.Status() as status:
            await services.presences.say(app, [status], len(body))
        case Started(sims) if sims:
            await services.enrolments.show_sims(app, sims)
            await services.presences.say(app, [sims_frame(sims)], len(body))
        case _:
            _log.debug("call_ignored", phone=app.enrolment.phone)
    services.cleaned.update(cleaned)
    return Answer(status=204)


def _verify(app: KnownApp, headers: Mapping[str, str], body: bytes) -> None:
    """Checks the signature of a call. Its time may be long ago: the app tries again for days.

    Raises:
        Unauthorized: Another has made it, or the app does not know its key yet.
    """
    stamp, given = headers.get("x-timestamp", ""), headers.get("x-signature", "")
    key = app.enrolment.signing_key.encode()
    right = hmac.new(key, body + stamp.encode("utf-8", "replace"), "sha256").hexdigest()
    if not hmac.compare_digest(right.encode(), given.lower().encode("utf-8", "replace")):
        raise Unauthorized(WRONG_SIGNATURE)


async def _app(call: Call) -> KnownApp:
    """Finds out which app calls, and counts its request.

    Raises:
        Unauthorized: None does that is known.
        RateExceeded: Its org has made too many requests.
    """
    services = call.services
    app = await services.enrolments.by_token(bearer_token(call.request.headers))
    services.rate_limits.request(app.enrolment.org, perf_counter())
    await services.enrolments.was_used(app)
    return app


def _agent(call: Call) -> str:
    return call.request.headers.get("user-agent", "")[:MAX_AGENT]


def _hook_address(call: Call, app: KnownApp) -> str:
    """Returns the address that an app is to call: ours, as its owner says or as it has called."""
    request = call.request
    path = HOOK.replace("{token}", app.enrolment.hook)
    if call.services.public_url:
        return f"{call.services.public_url.rstrip('/')}{BASES[0]}{path}"
    scheme, host = "https" if request.secure else "http", request.headers.get("host", "")
    return f"{scheme}://{host}{request.prefix}{BASES[0]}{path}"


# --- The table's part -------------------------------------------------------------------------


def _endpoint(
    name: str,
    method: str,
    path: str,
    handler: Handler,
    summary: str,
    *,
    answer: type = Nothing,
    status: int = 200,
    raw_limit: int | None = None,
    is_large: bool = False,
    more_paths: tuple[str, ...] = (),
    error_codes: tuple[str, ...] = (),
    knows_caller: bool = True,
    media: str | None = None,
    fast_path: bool = False,
) -> Endpoint:
    return Endpoint(
        name=f"smsgate_{name}",
        method=method,
        paths=tuple(f"{base}{one}" for base in BASES for one in (path, *more_paths)),
        scope=None,
        knows_caller=knows_caller,
        group="smsgate",
        summary=summary,
        raw_limit=raw_limit,
        is_large=is_large,
        answer=answer,
        media=media,
        statuses=(status,),
        error_codes=error_codes,
        protocol=True,
        detail_too="message",
        listed=False,
        fast_path=fast_path,
        handler=handler,
    )


_KNOWN: Final = ("unauthorized",)

ENDPOINTS: Final = (
    _endpoint(
        "register",
        "POST",
        "/device",
        register,
        "Register a phone",
        answer=Registered,
        status=201,
        raw_limit=FORM_BYTES,
        error_codes=("unauthorized", "forbidden", "org_full"),
    ),
    _endpoint(
        "update",
        "PATCH",
        "/device",
        update,
        "Say how a phone is now",
        status=204,
        raw_limit=FORM_BYTES,
        error_codes=("unauthorized", "forbidden"),
    ),
    _endpoint(
        "device",
        "GET",
        "/device",
        device,
        "Ask for one's address",
        answer=Device,
        knows_caller=False,
    ),
    _endpoint(
        "pull",
        "GET",
        "/message",
        pull,
        "Fetch messages to send",
        more_paths=("/messages",),
        error_codes=_KNOWN,
    ),
    _endpoint(
        "report",
        "PATCH",
        "/message",
        report,
        "Say what became of messages",
        status=204,
        raw_limit=FORM_BYTES,
        more_paths=("/messages",),
        error_codes=_KNOWN,
    ),
    _endpoint(
        "events",
        "GET",
        "/events",
        events,
        "Be rung",
        media="text/event-stream",
        error_codes=_KNOWN,
        # It lasts for minutes, and there costs a fraction of the memory.
        fast_path=True,
    ),
    _endpoint("hooks", "GET", "/webhooks", hooks, "Ask what to report", error_codes=_KNOWN),
    _endpoint("settings", "GET", "/settings", settings, "Ask how to work", error_codes=_KNOWN),
    _endpoint(
        "take",
        "POST",
        HOOK,
        take,
        "Say what happened",
        status=204,
        raw_limit=EVENT_BYTES,
        is_large=True,
        error_codes=("unauthorized", *ROOM_CODES),
    ),
)
