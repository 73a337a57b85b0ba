"""API keys: credentials of an org with some of its rights, made and revoked one by one."""

from collections.abc import Sequence
from typing import Annotated, ClassVar, Final

import attrs

from phonegate.api.convert import CONVERTER
from phonegate.api.endpoint import (
    Answer,
    Call,
    Endpoint,
    Example,
    a_list,
)
from phonegate.api.limits_types import (
    LimitsJson,
    NewLimits,
    limits_json,
    limits_of,
)
from phonegate.api.messages_types import MAX_KEY_ID
from phonegate.api.presenters import KeyJson, key_json
from phonegate.model.orgs import ApiKey
from phonegate.model.principal import (
    SCOPES,
    Scope,
)
from phonegate.model.refusals import NotFound, OrgFull
from phonegate.typed_json.fields import field
from phonegate.typed_json.rules import Flag, OneOf, Several, Text


@attrs.frozen(kw_only=True)
class NewKey:
    """The key to make."""

    closed: ClassVar[bool] = True
    """An unknown field is refused: a misspelt `scopes` would make a key that may do all."""

    secret_key: Annotated[str, Text(0, 400)] | None = field(
        "The org's SecretKey, where it is not sent in X-Secret-Key.", default=None, private=True
    )
    name: Annotated[str, Text(1, 100, line=True)] = field("What to call it.", example="billing")
    scopes: Annotated[tuple[Annotated[Scope, OneOf(SCOPES)], ...], Several(1, 4)] | None = field(
        "What it may do, of send, read, manage and phone (to be a phone, and nothing else); the "
        "first three without. A key with limits can neither manage nor be a phone.",
        default=None,
        example=["send"],
    )
    limits: NewLimits | None = field(
        "What it may do within its scopes; without, all of it.", default=None
    )


@attrs.frozen(kw_only=True)
class KeyPatch:
    """What to change of a key."""

    closed: ClassVar[bool] = True
    """As of a new one."""

    secret_key: Annotated[str, Text(0, 400)] | None = field(
        "The org's SecretKey, where it is not sent in X-Secret-Key.", default=None, private=True
    )
    limits: NewLimits = field(
        "What it may do from now on, in place of all limits before; {} lifts them all."
    )


@attrs.frozen(kw_only=True)
class NewKeyAnswer:
    """The new key; the only answer that ever shows it."""

    ok: bool = field("Always true.", default=True)
    id: str = field("Names the key in /keys/{org}/{id}.", example="k3v9")
    key: str = field("The key: Authorization: Bearer pgk_…", example="pgk_…", private=True)
    name: str = field("What its owner called it.", example="billing")
    scopes: tuple[str, ...] = field("What it may do.", example=["send"])
    limits: LimitsJson | None = field(
        "What it may do, where that is limited.", default=None, omit=True
    )


@attrs.frozen(kw_only=True)
class KeyAnswer:
    """A key that was changed."""

    ok: bool = field("Always true.", default=True)
    key: KeyJson = field("The key as it is now.")


@attrs.frozen(kw_only=True)
class KeysAnswer:
    """The org's keys."""

    org_id: str = field("The org.", example="myorg")
    count: int = field("Keys in this answer.", example=1)
    keys: tuple[KeyJson, ...] = field("By age.")


@attrs.frozen(kw_only=True)
class Revoking:
    """What is to become of a revoked key's messages."""

    keep_queued: Annotated[bool, Flag()] | None = field(
        "true: what the key has sent that has not left goes on; without, it is cancelled.",
        default=None,
        example=False,
    )


@attrs.frozen(kw_only=True)
class RevokedAnswer:
    """What became of a key."""

    ok: bool = field("Always true.", default=True)
    id: str = field("The key that works no longer.", example="k3v9")
    cancelled: int = field("Messages of it that had not left, and never will.", example=2)


async def create(call: Call) -> Answer:
    """Makes a key. One made with a key can't do more than that one."""
    body: NewKey = call.body
    caller = call.caller
    limits = None if body.limits is None else limits_of(body.limits)
    key, text = await call.services.accounts.keys.add(
        caller.org, body.name, body.scopes or None, limits, granted_by=caller.scopes
    )
    return Answer(
        status=201,
        content=NewKeyAnswer(
            id=key.id,
            key=text,
            name=key.name,
            scopes=key.scopes,
            limits=None if key.limits is None else limits_json(key.limits),
        ),
    )


async def change(call: Call) -> Answer:
    """Changes what a key may do."""
    body: KeyPatch = call.body
    limits = limits_of(body.limits)
    key = await call.services.accounts.keys.limit(
        call.caller.org, call.path["id"], lambda _: limits
    )
    if key is None:
        raise NotFound("No such key in this org.")
    return Answer(content=KeyAnswer(key=key_json(key)))


async def keys(call: Call) -> Answer:
    """Lists the keys, without their secret part."""
    caller = call.caller

    def show(found: Sequence[ApiKey]) -> bytes:
        keys = tuple(key_json(key) for key in found)
        return CONVERTER.encode(KeysAnswer(org_id=caller.org_name, count=len(keys), keys=keys))

    return Answer(content=await call.services.accounts.keys.show(caller.org, show))


async def revoke(call: Call) -> Answer:
    """Ends a key at once, and cancels its messages that have not left."""
    key_id, asked = call.path["id"], call.query
    cancelled = await call.services.accounts.keys.revoke(
        call.caller.org, key_id, keep_queued=bool(asked.keep_queued)
    )
    if cancelled is None:
        raise NotFound("No such key in this org.")
    return Answer(content=RevokedAnswer(id=key_id, cancelled=cancelled))


_SECRET: Final = (("X-Secret-Key", "my-secret-key-123"),)

ENDPOINTS: Final = (
    Endpoint(
        name="create_key",
        method="POST",
        paths=("/keys/{org}",),
        scope="manage",
        group="keys",
        summary="Make an API key",
        description="The key is shown once. It names its org by itself, so "
        "Authorization: Bearer pgk_… is enough on every route that its scopes allow.",
        body=NewKey,
        answer=NewKeyAnswer,
        statuses=(201,),
        error_codes=(OrgFull.code,),
        examples=(
            Example(
                title="a key that may only send",
                path="/keys/myorg",
                headers=(*_SECRET, ("Content-Type", "application/json")),
                body='{"name":"billing","scopes":["send"]}',
                answer='{"ok":true,"id":"k3v9","key":"pgk_…","name":"billing","scopes":["send"]}',
                status=201,
            ),
            Example(
                title="a key for an agent, with limits",
                path="/keys/myorg",
                headers=(*_SECRET, ("Content-Type", "application/json")),
                body='{"name":"agent","limits":{"to":["+1555*"],"per_hour":10,"per_day":50,'
                '"quiet_hours":{"hours":"22:00-07:00","zone":"Europe/Berlin"},"hold":true,'
                '"from":["+1555*"],"codes":"hidden"}}',
                answer='{"ok":true,"id":"k3v9","key":"pgk_…","name":"agent",'
                '"scopes":["send","read"],"limits":{"to":["+1555*"],"per_hour":10,"per_day":50,'
                '"quiet_hours":{"hours":"22:00-07:00","zone":"Europe/Berlin"},"hold":true,'
                '"from":["+1555*"],"codes":"hidden"}}',
                status=201,
            ),
        ),
        handler=create,
    ),
    Endpoint(
        name="list_keys",
        method="GET",
        paths=("/keys/{org}",),
        scope="manage",
        group="keys",
        summary="List API keys",
        answer=KeysAnswer,
        size=a_list,
        examples=(
            Example(
                title="the org's keys",
                path="/keys/myorg",
                headers=_SECRET,
                answer='{"org_id":"myorg","count":1,"keys":[{"id":"k3v9","name":"billing",'
                '"scopes":["send"],"created_at":"2026-11-21T08:00:00.000Z","last_used_at":null}]}',
            ),
        ),
        handler=keys,
    ),
    Endpoint(
        name="change_key",
        method="PATCH",
        paths=("/keys/{org}/{id}",),
        scope="manage",
        group="keys",
        summary="Limit what an API key may do",
        description="Limits are for a key whose holder decides by itself, such as an AI agent: "
        "whom it may write to, how much, when, whether a person approves each message, whose "
        "messages it reads, and whether it sees one-time codes. A key with limits can't manage "
        "anything, and so not lift them.",
        body=KeyPatch,
        answer=KeyAnswer,
        id=Text(1, MAX_KEY_ID),
        error_codes=("not_found",),
        examples=(
            Example(
                title="ten messages an hour, and nothing else is limited",
                path="/keys/myorg/k3v9",
                headers=(*_SECRET, ("Content-Type", "application/json")),
                body='{"limits":{"per_hour":10}}',
                answer='{"ok":true,"key":{"id":"k3v9","name":"agent","scopes":["send","read"],'
                '"created_at":"2026-11-21T08:00:00.000Z","last_used_at":null,"limits":{"to":null,'
                '"per_hour":10,"per_day":null,"quiet_hours":null,"hold":false,"from":null,"codes":null}}}',
            ),
        ),
        handler=change,
    ),
    Endpoint(
        name="revoke_key",
        method="DELETE",
        paths=("/keys/{org}/{id}",),
        scope="manage",
        group="keys",
        summary="Revoke an API key",
        description="What it has sent that has not left is cancelled, scheduled messages too, "
        "unless keep_queued is true.",
        query=Revoking,
        answer=RevokedAnswer,
        id=Text(1, MAX_KEY_ID),
        error_codes=("not_found",),
        examples=(
            Example(
                title="a key that is needed no longer",
                path="/keys/myorg/k3v9",
                headers=_SECRET,
                answer='{"ok":true,"id":"k3v9","cancelled":0}',
            ),
        ),
        handler=revoke,
    ),
)
