"""The org that a credential speaks for, what it may do, and what the org has chosen for itself."""

from typing import Annotated, ClassVar, Final

import attrs

from phonegate.api.assistants_types import OrgQuery
from phonegate.api.endpoint import (
    Answer,
    Call,
    Endpoint,
    Example,
)
from phonegate.api.limits_types import LimitsJson, limits_json
from phonegate.model.bounds import MAX_BODY, MAX_CHARACTERS, MAX_LABEL
from phonegate.model.twilio_ids import account_sid
from phonegate.typed_json.fields import field
from phonegate.typed_json.rules import Text, Whole


@attrs.frozen(kw_only=True)
class MePatch:
    """What to change of an org. What is left out, or null, stays as it is."""

    closed: ClassVar[bool] = True
    """An unknown field is refused: a misspelt one would change nothing, and say that it did."""

    secret_key: Annotated[str, Text(0, 400)] | None = field(
        "The org's SecretKey, where it is not sent in X-Secret-Key.", default=None, private=True
    )
    default_country: Annotated[str, Text(0, MAX_LABEL)] | None = field(
        "The country of numbers that are written without one, in two letters (ISO 3166); empty: "
        "none.",
        default=None,
        example="DE",
    )
    max_characters: Annotated[int, Whole(1, MAX_CHARACTERS)] | None = field(
        f"Most characters of a text that POST /send takes; {MAX_BODY} at first.",
        default=None,
        example=5000,
    )


@attrs.frozen(kw_only=True)
class MeAnswer:
    """The caller."""

    ok: bool = field("Always true.", default=True)
    org_id: str = field("The caller's org.", example="myorg")
    scopes: tuple[str, ...] = field("What the caller may do.", example=["send", "read"])
    key_id: str | None = field(
        "The API key's id, or null where the org's own secret was shown.", example="k3v9"
    )
    limits: LimitsJson | None = field(
        "What the key may do, where that is limited.", default=None, omit=True
    )
    default_country: str | None = field(
        "The country of numbers that are written without one, or null.", example="DE"
    )
    max_characters: int = field("Most characters of a text that POST /send takes.", example=1600)
    account_sid: str = field(
        "What the org is called by programs made for Twilio.",
        example="AC00000000000000000000000000000001",
    )


async def me(call: Call) -> Answer:
    """Answers with the caller."""
    caller = call.caller
    options = call.services.org_options.of(caller.org)
    return Answer(
        content=MeAnswer(
            org_id=caller.org_name,
            scopes=caller.scopes,
            key_id=caller.key_id,
            limits=None if caller.limits is None else limits_json(caller.limits),
            default_country=options.default_country,
            max_characters=options.max_characters,
            account_sid=account_sid(caller.org),
        )
    )


async def change_me(call: Call) -> Answer:
    """Changes what the caller's org has chosen for itself."""
    body: MePatch = call.body
    await call.services.org_options.set(
        call.caller.org,
        default_country=body.default_country,
        max_characters=body.max_characters,
    )
    return await me(call)


ENDPOINTS: Final = (
    Endpoint(
        name="me",
        method="GET",
        paths=("/me",),
        scope="any",
        group="keys",
        summary="Ask who a credential is",
        description="A key names its org by itself: a program that was given one and nothing "
        "else finds the org here, what it may do, and what the org has chosen.",
        query=OrgQuery,
        answer=MeAnswer,
        examples=(
            Example(
                title="a key's org and scopes",
                path="/me",
                headers=(("Authorization", "Bearer pgk_…"),),
                answer='{"ok":true,"org_id":"myorg","scopes":["send","read"],"key_id":"k3v9",'
                '"default_country":null,"max_characters":1600,'
                '"account_sid":"AC00000000000000000000000000000001"}',
            ),
        ),
        handler=me,
    ),
    Endpoint(
        name="change_me",
        method="PATCH",
        paths=("/me",),
        scope="manage",
        group="keys",
        summary="Set the org's country and longest text",
        description="`default_country` is the country of numbers that are written without one, "
        "in the console and in what other programs' APIs take. `POST /send` itself takes numbers "
        "with + alone. `max_characters` is how long a text may be; no SMS has more than 255 "
        "segments. Both hold from the next request on, for all of the org.",
        body=MePatch,
        query=OrgQuery,
        answer=MeAnswer,
        examples=(
            Example(
                title="national numbers of Germany, and long texts",
                path="/me",
                headers=(("Authorization", "Bearer pgk_…"), ("Content-Type", "application/json")),
                body='{"default_country":"DE","max_characters":5000}',
                answer='{"ok":true,"org_id":"myorg","scopes":["manage"],"key_id":"k3v9",'
                '"default_country":"DE","max_characters":5000,'
                '"account_sid":"AC00000000000000000000000000000001"}',
            ),
        ),
        handler=change_me,
    ),
)
