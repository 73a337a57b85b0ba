"""The third-party API of SMS Gateway for Android: what it is, and how its errors are worded.

Sources: android-sms-gateway/server (internal/sms-gateway/handlers), and the local server of
capcom6/android-sms-gateway, which has nearly the same at the root. Pure but for the endpoints.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from phonegate.api.convert import refusal
from phonegate.api.dialect import Dialect, Given, Refusal, Worded
from phonegate.api.dialects.smsgate.wording import encoded
from phonegate.api.endpoint import Answer, AnyScope, Call, Endpoint, Handler, a_list
from phonegate.domain.dialect_tokens import require_grant
from phonegate.http.login import Login
from phonegate.http.problem import JSON_MEDIA
from phonegate.model.bounds import MAX_ID
from phonegate.model.principal import Scope
from phonegate.model.refusals import BadInput, FieldProblem, NotFound
from phonegate.typed_json.rules import Text

BASES: Final = ("/api/3rdparty/v1", "/3rdparty/v1")
"""Where the API's own server has it, at home and in public."""

ROOT: Final = ("",)
"""Where the app itself has it on its phone."""

AT_ROOT: Final = "_at_root"
"""Ends the name of an endpoint there."""

MAX_ID_TEXT: Final = 60
"""Characters of an id in a path, with room for longer ones to come."""

NOT_HERE: Final = 501
"""Not Implemented (RFC 9110, 15.6.2): what the API's own server answers of what it lacks."""

_STATUSES: Final[Mapping[str, int]] = MappingProxyType(
    {
        # To 404 some clients answer with a try at an older address, and to 403 with a new login.
        "unknown_sim": 400,
        "address_refused": 400,
        "queue_full": 503,
        "storage_spent": 503,
        "disk_low": 503,
    }
)
"""The status of errors that the API has another one for."""


def refuse(refused: Refusal) -> Worded:
    """Words an error."""
    found: dict[str, Any] = {"message": refused.detail}
    if refused.problems:
        found["data"] = {one.field: one.problem for one in refused.problems}
    return Worded(
        status=_STATUSES.get(refused.code, refused.status),
        body=encoded(found),
        media=JSON_MEDIA,
    )


DIALECT: Final = Dialect(
    name="smsgate",
    title="SMS Gateway for Android",
    text="The third-party API of SMS Gateway for Android (sms-gate.app), below `/api/3rdparty/v1` "
    "and `/3rdparty/v1`, and at the root as the app has it in its local mode: messages, devices, "
    "webhooks, inbox, health and tokens. For its clients in Python, JavaScript, PHP and Go, its "
    "command line, and Home Assistant. At the root its clients show `Authorization: Basic`, or a "
    "token of this API.",
    addresses=(BASES[0], ""),
    login=Login(),
    has_tokens=True,
    refuse=refuse,
    bases=BASES,
)


def shown(value: object, *, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """Returns an answer."""
    return Answer(status=status, content=encoded(value), media=JSON_MEDIA, headers=headers)


def not_here(sentence: str) -> Answer:
    """Answers that the gateway has no such thing."""
    return shown({"message": sentence}, status=NOT_HERE)


def phone_of(device: str | None) -> int | None:
    """Reads the id of a phone. None where it is left out or empty.

    Raises:
        BadInput: No phone can have it.
    """
    if not device:
        return None
    if not (device.isascii() and device.isdecimal()) or not 0 < int(device) <= MAX_ID:
        raise no_device()
    return int(device)


def no_device() -> BadInput:
    """Returns the refusal of a phone that the org does not have."""
    return refusal((FieldProblem("deviceId", "is none of this org's phones"),))


def device_in_path(call: Call) -> int:
    """Reads the id of a phone that stands in the path.

    Raises:
        NotFound: No phone can have it.
    """
    try:
        found = phone_of(call.path["id"])
    except BadInput:
        found = None
    if found is None:
        raise NotFound("No such device in this org.")
    return found


def endpoints(
    name: str,
    method: str,
    paths: tuple[str, ...],
    handler: Handler,
    summary: str,
    *,
    scope: Scope | AnyScope | None,
    grant: str | None = None,
    bases: tuple[str, ...] = (*BASES, *ROOT),
    given: type | None = None,
    lists: bool = False,
    **more: Any,
) -> Iterator[Endpoint]:
    """Declares an endpoint below the bases, and the same at the root.

    There some addresses are those of the gateway's own API, so that it needs to be meant.

    Args:
        name: Without the name of the dialect.
        method: The method.
        paths: Below each of the bases.
        handler: The handler, which is asked only where the caller's token has the grant.
        summary: What it does.
        scope: As in `Endpoint`.
        grant: What a token must have been given for.
        bases: Where it is.
        given: The type of its query.
        lists: Whether it lists all of something.
        more: As in `Endpoint`.
    """

    async def granted(call: Call) -> Answer:
        if grant is not None:
            require_grant(call.caller, grant)
        return await handler(call)

    if lists:
        more["size"] = a_list
    if given is not None:
        more["given"] = Given(type=given)
    for ending, some in (("", BASES), (AT_ROOT, ROOT)):
        found = tuple(f"{base}{path}" for base in some if base in bases for path in paths)
        if found:
            yield Endpoint(
                name=f"smsgate_api_{name}{ending}",
                method=method,
                paths=found,
                scope=scope,
                group=f"dialect: {DIALECT.name}",
                summary=summary,
                dialect=DIALECT,
                answer=None,
                id=Text(1, MAX_ID_TEXT),
                by_basic=some is ROOT,
                listed=False,
                handler=granted,
                **{"media": JSON_MEDIA, **more},
            )
