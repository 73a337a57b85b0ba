"""API keys: tokens of an org with less than all of its rights, made and revoked one by one."""

from typing import Annotated, ClassVar, Final

import attrs

from phonegate.domain.errors import Forbidden, NotFound
from phonegate.domain.principal import SCOPES, Scope
from phonegate.web.endpoint import Answer, Call, Endpoint, Example
from phonegate.web.fields import OneOf, Several, Text, field
from phonegate.web.presenters import KeyJson, key_json

MAX_KEY_ID: Final = 20
"""Characters of a key's id, with room for longer ones to come."""


@attrs.frozen(kw_only=True)
class NewKey:
    """The key to make."""

    closed: ClassVar[bool] = True
    """An unknown field is refused: a misspelt `scopes` would make a key that may do all."""

    secret_key: Annotated[str, Text(0, 400)] | None = field(
        "The org's SecretKey, where it is not sent in X-Secret-Key.", default=None, private=True
    )
    name: Annotated[str, Text(1, 100)] = field("What to call it.", example="billing")
    scopes: Annotated[tuple[Annotated[Scope, OneOf(SCOPES)], ...], Several(1, 3)] | None = field(
        "What it may do, of send, read and manage; all without.", default=None, example=["send"]
    )


@attrs.frozen(kw_only=True)
class NewKeyAnswer:
    """The new key; the only answer that ever shows it."""

    ok: bool = field("Always true.", default=True)
    id: str = field("Names the key in /keys/{org}/{id}.", example="k3v9")
    key: str = field("The key: Authorization: Bearer pgk_…", example="pgk_…", private=True)
    name: str = field("What its owner called it.", example="billing")
    scopes: tuple[str, ...] = field("What it may do.", example=["send"])


@attrs.frozen(kw_only=True)
class KeysAnswer:
    """The org's keys."""

    org_id: str = field("The org.", example="myorg")
    count: int = field("Keys in this answer.", example=1)
    keys: tuple[KeyJson, ...] = field("By age.")


@attrs.frozen(kw_only=True)
class RevokedAnswer:
    """What became of a key."""

    ok: bool = field("Always true.", default=True)
    id: str = field("The key that works no longer.", example="k3v9")


async def create(call: Call) -> Answer:
    """Makes a key. One made with a key can't do more than that one."""
    body: NewKey = call.body
    caller = call.caller
    scopes = SCOPES if body.scopes is None else tuple(s for s in SCOPES if s in body.scopes)
    if missing := [scope for scope in scopes if scope not in caller.scopes]:
        raise Forbidden(f"Your key lacks {', '.join(missing)}, so it can't grant it.")
    key, text = await call.services.accounts.add_key(caller.org, body.name, scopes)
    return Answer(
        status=201,
        content=NewKeyAnswer(id=key.id, key=text, name=key.name, scopes=key.scopes),
    )


async def keys(call: Call) -> Answer:
    """Lists the keys, without their secret part."""
    found = await call.services.accounts.keys(call.caller.org)
    shown = tuple(key_json(key) for key in found)
    return Answer(content=KeysAnswer(org_id=call.caller.org_name, count=len(shown), keys=shown))


async def revoke(call: Call) -> Answer:
    """Ends a key at once."""
    key_id = call.path["id"]
    if not await call.services.accounts.revoke_key(call.caller.org, key_id):
        raise NotFound("No such key in this org.")
    return Answer(content=RevokedAnswer(id=key_id))


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
        examples=(
            Example(
                title="a key that may only send",
                path="/keys/myorg",
                headers=(*_SECRET, ("Content-Type", "application/json")),
                body='{"name":"billing","scopes":["send"]}',
                answer='{"ok":true,"id":"k3v9","key":"pgk_…","name":"billing","scopes":["send"]}',
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
        handler=keys,
    ),
    Endpoint(
        name="revoke_key",
        method="DELETE",
        paths=("/keys/{org}/{id}",),
        scope="manage",
        group="keys",
        summary="Revoke an API key",
        answer=RevokedAnswer,
        id=Text(1, MAX_KEY_ID),
        error_codes=("not_found",),
        handler=revoke,
    ),
)
