"""The requests and answers of `/assistants`."""

from collections.abc import Mapping
from typing import Annotated, ClassVar

import attrs

from phonegate.carriers.credentials import masked
from phonegate.carriers.registry import PROVIDERS, alternatives, credentials_in_words
from phonegate.domain.assistant_form import MAX_NAME, MAX_NUMBERS
from phonegate.model.assistants import Assistant
from phonegate.model.numbers import is_e164
from phonegate.model.times import iso
from phonegate.typed_json.fields import Rule, Wrong, field
from phonegate.typed_json.rules import OneOf, Several, Text

MAX_CREDENTIALS = 10
"""Fields of one account: more than any carrier asks for."""

MAX_FIELD_NAME = 50
"""Characters in the name of such a field, which an answer may repeat."""


@attrs.frozen
class Number(Rule):
    """A sender's number in E.164 form."""

    def read(self, value: object) -> str:
        """Returns the number as given."""
        if type(value) is not str or not is_e164(value):
            raise Wrong("must be a number like +15553334444 (E.164)")
        return value


@attrs.frozen
class Credentials(Rule):
    """The fields of a carrier's account by name. The carrier's own code checks their values."""

    def read(self, value: object) -> dict[str, str | None]:
        """Returns the fields, with their values unchecked."""
        if type(value) is not dict:
            raise Wrong("must be an object")
        if len(value) > MAX_CREDENTIALS or any(not _is_field_name(name) for name in value):
            raise Wrong("holds fields that no provider knows")
        if any(item is not None and type(item) is not str for item in value.values()):
            raise Wrong("must hold nothing but text")
        return value


def _is_field_name(name: str) -> bool:
    return len(name) <= MAX_FIELD_NAME and name.isascii() and name.isidentifier()


@attrs.frozen(kw_only=True)
class OrgQuery:
    """Whose they are."""

    org_id: Annotated[str, Text(1, 50)] | None = field(
        "The org, where its SecretKey is the credential; an API key names its org itself.",
        default=None,
        example="myorg",
    )


@attrs.frozen(kw_only=True)
class NewAssistant:
    """The assistant to make."""

    closed: ClassVar[bool] = True
    """An unknown field is refused: a misspelt one would make another assistant than was meant."""

    name: Annotated[str, Text(1, MAX_NAME, blank=False, line=True)] = field(
        "What to call it.", example="support"
    )
    provider: Annotated[str, OneOf(PROVIDERS)] = field(
        "Through what it sends; phone: an own phone that holds the SIM.", example="twilio"
    )
    phone_numbers: Annotated[tuple[Annotated[str, Number()], ...], Several(1, MAX_NUMBERS)] = field(
        "The numbers that it sends from.", example=["+15551234567"]
    )
    credentials: Annotated[Mapping[str, str | None], Credentials()] | None = field(
        f"{'; '.join(credentials_in_words())}.",
        default=None,
        private=True,
    )


@attrs.frozen(kw_only=True)
class AssistantPatch:
    """What to change of an assistant; what is left out, or null, stays."""

    closed: ClassVar[bool] = True
    """As of a new one."""

    name: Annotated[str, Text(1, MAX_NAME, blank=False, line=True)] | None = field(
        "Its new name.", default=None
    )
    provider: Annotated[str, OneOf(PROVIDERS)] | None = field(
        "Can't be changed: add another assistant.", default=None
    )
    phone_numbers: (
        Annotated[tuple[Annotated[str, Number()], ...], Several(1, MAX_NUMBERS)] | None
    ) = field("All of its numbers, in place of those before.", default=None)
    credentials: Annotated[Mapping[str, str | None], Credentials()] | None = field(
        "The fields to change; null takes an optional one away.", default=None, private=True
    )


@attrs.frozen(kw_only=True)
class AssistantJson:
    """An assistant; of its credentials, the last four characters."""

    id: int = field("Names it in /assistants/{id}.", example=3)
    name: str = field("What its owner called it.", example="support")
    provider: str = field(alternatives(PROVIDERS), example="twilio")
    phone_numbers: tuple[str, ...] = field(
        "The numbers that it sends from.", example=["+15551234567"]
    )
    credentials: Mapping[str, str] = field("Masked.", example={"auth_token": "…4f2a"}, private=True)
    created_at: str = field("ISO 8601, UTC.", example="2026-11-21T08:00:00.000Z")
    callback_url: str | None = field(
        "Where the carrier reports received messages and delivery to. null for a phone, and "
        "where the gateway's public_url is not set or is of a home network. Only the carrier may "
        "have it.",
        private=True,
    )
    from_file: bool = field(
        "Whether gateway.toml declares it: then it can't be changed here.", example=False
    )


@attrs.frozen(kw_only=True)
class AssistantAnswer:
    """One assistant."""

    ok: bool = field("Always true.", default=True)
    assistant: AssistantJson = field("The assistant.")


@attrs.frozen(kw_only=True)
class AssistantsAnswer:
    """The org's assistants."""

    org_id: str = field("The org.", example="myorg")
    count: int = field("Assistants in this answer.", example=1)
    assistants: tuple[AssistantJson, ...] = field("By age.")


@attrs.frozen(kw_only=True)
class RemovedAnswer:
    """What became of an assistant."""

    ok: bool = field("Always true.", default=True)
    id: int = field("The assistant that is no more.", example=3)


def assistant_json(assistant: Assistant, callback_url: str | None) -> AssistantJson:
    """Returns an assistant for an answer."""
    return AssistantJson(
        id=assistant.id,
        name=assistant.name,
        provider=assistant.provider,
        phone_numbers=assistant.phone_numbers,
        credentials=masked(assistant.credentials),
        created_at=iso(assistant.created_at),
        callback_url=callback_url,
        from_file=assistant.from_file,
    )
