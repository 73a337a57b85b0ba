"""The requests of `/hooks/of/…`: hooks as their orgs make and change them."""

from typing import Annotated, Any, ClassVar, Final, Literal, get_args

import attrs

from phonegate.domain.hooks.hooks import MAX_NAME
from phonegate.domain.hooks.json_path import MAX_PATH
from phonegate.domain.hooks.mapping import (
    MAX_CONDITIONS,
    MAX_ENTRIES,
    MAX_REPEAT_S,
    SHORTEST_TEXT,
)
from phonegate.domain.hooks.ready_mappings import READY_BY_NAME
from phonegate.domain.hooks.template import MAX_TEMPLATE
from phonegate.domain.hooks.verification import MAX_HEADER, MAX_SECRET
from phonegate.model.bounds import MAX_CHARACTERS, MAX_NUMBER
from phonegate.model.hooks import (
    USUAL_CHARACTERS,
    USUAL_REPEAT_S,
    AnswerForm,
    HookMapping,
    Verification,
    VerificationKind,
)
from phonegate.typed_json.fields import Rule, Wrong, field
from phonegate.typed_json.rules import Flag, OneOf, Several, Text, Whole

NONE: Final = "none"
"""The kind of verification of hooks whose URL is enough."""

KINDS: Final[tuple[str, ...]] = (NONE, *get_args(VerificationKind))
ANSWERS: Final[tuple[str, ...]] = get_args(AnswerForm)

MAX_CONDITION: Final = 2 * MAX_PATH
"""Characters of a condition: a path and a value."""


@attrs.frozen
class AnyJson(Rule):
    """Any JSON but null: what a program would post."""

    def read(self, value: object) -> object:
        """Returns the value."""
        if value is None:
            raise Wrong("must be what a program would post")
        return value


@attrs.frozen(kw_only=True)
class HookMappingJson:
    """How numbers and text are found in what a program posts."""

    closed: ClassVar[bool] = True
    """A misspelt condition would let everything through."""

    to: Annotated[tuple[Annotated[str, Text(1, MAX_PATH)], ...], Several(1, MAX_ENTRIES)] = field(
        "Numbers, and paths in braces that lead to some.",
        example=["+15553334444", "{user.phone | plus}"],
        private=True,
    )
    text: Annotated[str, Text(1, MAX_TEMPLATE)] = field(
        'A template: paths in braces stand for what they lead to, {path | default:"…"} for '
        "that or else a text. {#alerts}…{/} is repeated for each item of a list, "
        '{#status == "firing"}…{/} stands where that holds, and {^…}…{/} where it does not.',
        example="{status | upper}: {alerts[*].annotations.summary}",
        private=True,
    )
    when: (
        Annotated[tuple[Annotated[str, Text(1, MAX_CONDITION)], ...], Several(0, MAX_CONDITIONS)]
        | None
    ) = field(
        "Conditions that must all hold, else nothing is sent: a path that leads to something, or "
        "a path, == or !=, and a text.",
        default=None,
        example=["status == firing"],
    )
    sender: Annotated[str, Text(0, MAX_NUMBER)] | None = field(
        "The number of the org that sends; null or empty: any SIM.",
        default=None,
        example="+15551112222",
        private=True,
    )
    max_characters: Annotated[int, Whole(SHORTEST_TEXT, MAX_CHARACTERS)] = field(
        "A longer text is cut.", default=USUAL_CHARACTERS
    )
    repeat_s: Annotated[int, Whole(0, MAX_REPEAT_S)] = field(
        "A call with the same body within so many seconds is a repeat, and sends nothing. "
        "0: none is.",
        default=USUAL_REPEAT_S,
    )
    answer: Annotated[AnswerForm, OneOf(ANSWERS)] = field(
        "json: errors have their status. supabase: they have the status 200 and the form that "
        "GoTrue passes on to its users.",
        default="json",
    )


@attrs.frozen(kw_only=True)
class VerificationJson:
    """How a call shows that it comes from the program."""

    closed: ClassVar[bool] = True
    """As of the mapping."""

    kind: Annotated[Literal["none"] | VerificationKind, OneOf(KINDS)] = field(
        "standard: signed by Standard Webhooks. zitadel: by ZITADEL-Signature. hmac: the hex "
        "HMAC-SHA256 of the body in a header. basic: a user and password. header: a fixed header. "
        "none: the URL is enough.",
        example="standard",
    )
    secret: Annotated[str, Text(0, MAX_SECRET)] = field(
        "The program's secret; of basic user:password; of header its whole value.",
        default="",
        example="v1,whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        private=True,
    )
    header: Annotated[str, Text(0, MAX_HEADER)] | None = field(
        "The header of hmac; of header Authorization where none is named.",
        default=None,
        example="X-Hub-Signature-256",
    )
    timestamp_header: Annotated[str, Text(0, MAX_HEADER)] | None = field(
        "The header with the time in seconds that hmac signs before the body, with a colon.",
        default=None,
    )


@attrs.frozen(kw_only=True)
class NewHookJson:
    """The hook to make."""

    closed: ClassVar[bool] = True
    """As of the mapping."""

    secret_key: Annotated[str, Text(0, 400)] | None = field(
        "The org's SecretKey, where it is not sent in X-Secret-Key.", default=None, private=True
    )
    name: Annotated[str, Text(1, MAX_NAME, line=True)] = field(
        "What to call it.", example="alertmanager"
    )
    mapping: HookMappingJson = field("How numbers and text are found.")
    verification: VerificationJson | None = field(
        "How its calls are verified; null: the URL is enough.", default=None
    )
    key: Annotated[str, Text(1, 20)] | None = field(
        "The id of an API key whose limits bind it, and which it ends with; null: the caller's.",
        default=None,
        example="k3v9",
    )


@attrs.frozen(kw_only=True)
class HookPatch:
    """What to change of a hook. What is left out, or null, stays as it is."""

    closed: ClassVar[bool] = True
    """As of a new one."""

    secret_key: Annotated[str, Text(0, 400)] | None = field(
        "The org's SecretKey, where it is not sent in X-Secret-Key.", default=None, private=True
    )
    name: Annotated[str, Text(1, MAX_NAME, line=True)] | None = field(
        "What to call it.", default=None
    )
    mapping: HookMappingJson | None = field(
        "The whole mapping, in place of the one before.", default=None
    )
    verification: VerificationJson | None = field(
        "In place of the one before; of the kind none: the URL is enough.", default=None
    )
    enabled: Annotated[bool, Flag()] | None = field(
        "Whether it takes calls.", default=None, example=False
    )


@attrs.frozen(kw_only=True)
class HookTry:
    """A mapping to try, and what a program would post."""

    closed: ClassVar[bool] = True
    """As of a new one."""

    secret_key: Annotated[str, Text(0, 400)] | None = field(
        "The org's SecretKey, where it is not sent in X-Secret-Key.", default=None, private=True
    )
    mapping: HookMappingJson = field("The mapping.")
    sample: Annotated[Any, AnyJson()] = field(
        "What the program would post.",
        example={"to": "+15553334444", "text": "Your table is ready"},
        private=True,
    )


@attrs.frozen(kw_only=True)
class ReadyQuery:
    """Which ready-made mappings to show."""

    name: Annotated[str, OneOf(tuple(READY_BY_NAME))] | None = field(
        "Only this one.", default=None, example="json"
    )


def mapping_of(asked: HookMappingJson) -> HookMapping:
    """Returns a mapping as the domain has it."""
    return HookMapping(
        to=asked.to,
        text=asked.text.replace("\r\n", "\n"),
        when=asked.when or (),
        sender=asked.sender or None,
        max_characters=asked.max_characters,
        repeat_s=asked.repeat_s,
        answer=asked.answer,
    )


def verification_of(asked: VerificationJson | None) -> Verification | None:
    """Returns a verification as the domain has it. None: the URL is enough."""
    if asked is None or asked.kind == NONE:
        return None
    return Verification(
        kind=asked.kind,
        secret=asked.secret,
        header=asked.header or None,
        timestamp_header=asked.timestamp_header or None,
    )
