"""The answers of `/hooks/of/…`: hooks and ready-made mappings as their orgs see them."""

from typing import Annotated, Any, Final, get_args

import attrs

from phonegate.api.hooks_types import ANSWERS, KINDS, NONE
from phonegate.carriers.credentials import mask
from phonegate.domain.hooks.ready_mappings import ReadyMapping
from phonegate.model.hooks import Hook, HookMapping, OutcomeKind, Verification
from phonegate.model.times import iso
from phonegate.typed_json.fields import field
from phonegate.typed_json.rules import OneOf

OUTCOMES: Final[tuple[str, ...]] = get_args(OutcomeKind)


@attrs.frozen(kw_only=True)
class HookMappingState:
    """How numbers and text are found in what a program posts."""

    to: tuple[str, ...] = field("Numbers and paths.", example=["{to}"], private=True)
    text: str = field("The template.", example="{text}", private=True)
    when: tuple[str, ...] = field("Conditions.", example=["status == firing"])
    sender: str | None = field("The number that sends; null: any SIM.", private=True)
    max_characters: int = field("A longer text is cut.", example=640)
    repeat_s: int = field("Seconds in which the same body is a repeat.", example=10)
    answer: Annotated[str, OneOf(ANSWERS)] = field("The form of errors.", example="json")


@attrs.frozen(kw_only=True)
class VerificationState:
    """How a call shows that it comes from the program."""

    kind: Annotated[str, OneOf(KINDS)] = field("How.", example="standard")
    secret: str | None = field("Masked; null: none.", example="…LaSw", private=True)
    header: str | None = field("The header that is looked at, where the kind does not say.")
    timestamp_header: str | None = field("The header of the time that is signed too.")


@attrs.frozen(kw_only=True)
class HookOutcome:
    """What became of a call."""

    kind: Annotated[OutcomeKind, OneOf(OUTCOMES)] = field(
        "sent: messages were accepted. skipped: a condition did not hold. repeat: nothing was "
        "sent again. refused: see detail.",
        example="sent",
    )
    detail: str = field("A sentence.", example="1 message")


@attrs.frozen(kw_only=True)
class HookState:
    """A hook. Of its URL nothing is shown again."""

    id: int = field("Names it in /hooks/of/{org}/{id}.", example=3)
    name: str = field("What its owner called it.", example="alertmanager")
    mapping: HookMappingState = field("How numbers and text are found.")
    verification: VerificationState = field("How its calls are verified.")
    key: str | None = field(
        "The API key whose limits bind it and which it ends with; null: none.", example="k3v9"
    )
    created_at: str = field("ISO 8601, UTC.", example="2026-11-21T08:00:00.000Z")
    enabled: bool = field("Whether it takes calls.", example=True)
    disabled_at: str | None = field("When that ended (ISO 8601, UTC).")
    disabled_reason: str | None = field("Why, in a sentence.")
    calls: int = field("How often it was called.", example=12)
    last_used_at: str | None = field("When it was called last (ISO 8601, UTC).")
    last: HookOutcome | None = field("What became of the last call.")


@attrs.frozen(kw_only=True)
class OneHookAnswer:
    """One hook."""

    ok: bool = field("Always true.", default=True)
    hook: HookState = field("The hook.")


@attrs.frozen(kw_only=True)
class NewHookAnswer:
    """A hook with its URL."""

    ok: bool = field("Always true.", default=True)
    url: str = field(
        "What the program calls, by POST. It is shown here and by a rotation, and nowhere else.",
        example="https://sms.example.org/hooks/pgh_7Kq2vX9dLmN4pRsT6wYzA1bC3eF5gH8j",
        private=True,
    )
    hook: HookState = field("The hook.")


@attrs.frozen(kw_only=True)
class HooksAnswer:
    """The org's hooks."""

    org_id: str = field("The org.", example="myorg")
    count: int = field("Hooks in this answer.", example=1)
    hooks: tuple[HookState, ...] = field("By age.")


@attrs.frozen(kw_only=True)
class HookRemovedAnswer:
    """What became of a hook."""

    ok: bool = field("Always true.", default=True)
    id: int = field("The hook that is no more.", example=3)


@attrs.frozen(kw_only=True)
class HookTriedAnswer:
    """What a mapping makes of a sample. Nothing was sent."""

    ok: bool = field("Always true.", default=True)
    sends: bool = field("Whether it would send: all conditions hold.", example=True)
    reason: str | None = field("Why not, in a sentence.")
    to: tuple[str, ...] = field("The numbers.", example=["+15553334444"], private=True)
    text: str | None = field("The text.", example="Your table is ready", private=True)
    characters: int = field("Of the text.", example=19)
    segments: int = field("SMS that the text takes.", example=1)


@attrs.frozen(kw_only=True)
class ReadyMappingState:
    """A ready-made mapping for a program."""

    name: str = field("Its name.", example="json")
    title: str = field("The program.", example="Another program")
    about: str = field("When the program calls.", example="A program posts a number and a text.")
    steps: str = field("Where the URL is entered there.", example="Enter this address there.")
    needs_recipient: bool = field(
        "Whether to holds a number to replace by your own.", example=False
    )
    mapping: HookMappingState = field("The mapping.")
    verification: VerificationState = field("What fits the program. The secret comes from there.")
    always_signs: bool = field(
        "Whether the program has such a secret in any case; with others it is to be switched on.",
        example=False,
    )
    secret_hint: str = field("Where the program has its secret.", example="")
    sample: Any = field("What the program posts.", example={"to": "+15553334444", "text": "Hi"})


@attrs.frozen(kw_only=True)
class ReadyMappingsAnswer:
    """All ready-made mappings."""

    org_id: str = field("The org.", example="myorg")
    count: int = field("Mappings in this answer.", example=10)
    mappings: tuple[ReadyMappingState, ...] = field("In the order of choosing.")


def hook_json(hook: Hook) -> HookState:
    """Returns a hook for an answer."""
    last = hook.last
    return HookState(
        id=hook.id,
        name=hook.name,
        mapping=_mapping_json(hook.mapping),
        verification=_verification_json(hook.verification),
        key=hook.key,
        created_at=iso(hook.created_at),
        enabled=hook.disabled_at is None,
        disabled_at=_iso(hook.disabled_at),
        disabled_reason=hook.disabled_reason,
        calls=hook.calls,
        last_used_at=_iso(hook.last_used_at),
        last=None if last is None else HookOutcome(kind=last.kind, detail=last.detail),
    )


def ready_json(ready: ReadyMapping) -> ReadyMappingState:
    """Returns a ready-made mapping for an answer."""
    return ReadyMappingState(
        name=ready.name,
        title=ready.title,
        about=ready.about,
        steps=ready.steps,
        needs_recipient=ready.needs_recipient,
        mapping=_mapping_json(ready.mapping),
        verification=VerificationState(
            kind=ready.verification or NONE,
            secret=None,
            header=ready.header,
            timestamp_header=ready.timestamp_header,
        ),
        always_signs=ready.always_signs,
        secret_hint=ready.secret_hint,
        sample=ready.sample,
    )


def _mapping_json(mapping: HookMapping) -> HookMappingState:
    return HookMappingState(
        to=mapping.to,
        text=mapping.text,
        when=mapping.when,
        sender=mapping.sender,
        max_characters=mapping.max_characters,
        repeat_s=mapping.repeat_s,
        answer=mapping.answer,
    )


def _verification_json(one: Verification | None) -> VerificationState:
    if one is None:
        return VerificationState(kind=NONE, secret=None, header=None, timestamp_header=None)
    return VerificationState(
        kind=one.kind,
        secret=mask(one.secret),
        header=one.header,
        timestamp_header=one.timestamp_header,
    )


def _iso(at: int | None) -> str | None:
    return None if at is None else iso(at)
