"""Hooks, as plain values: secret URLs to which programs post their own JSON, to send SMS.

Every time is an integer: milliseconds since 1970-01-01 UTC.
"""

from typing import Final, Literal

import attrs

AnswerForm = Literal["json", "supabase"]
"""The form of what the calling program is answered."""

VerificationKind = Literal["standard", "zitadel", "hmac", "basic", "header"]
"""How a call shows that it comes from the program: the signature of Standard Webhooks, that of
ZITADEL, the HMAC of the body in a header, a user with a password, or a fixed header."""

USUAL_CHARACTERS: Final = 640
"""Where a mapping does not say at what length texts are cut: four to ten SMS."""

USUAL_REPEAT_S: Final = 10
"""Where a mapping does not say how long the same body is a repeat: programs whose call had no
answer post it again within seconds."""

MAX_CALL_BYTES: Final = 1_048_576
"""Bytes of what is posted. Alertmanager and Grafana post all alerts of a group: hundreds of
kilobytes at worst."""

OutcomeKind = Literal["sent", "skipped", "repeat", "refused"]
"""What became of a call: messages were accepted, its condition did not hold, it was a repeat, or
something was wrong with it."""


@attrs.frozen(kw_only=True)
class HookMapping:
    """How numbers and text are found in what a program posts."""

    to: tuple[str, ...] = attrs.field(repr=False)
    """Numbers, and templates that give some."""
    text: str = attrs.field(repr=False)
    """A template."""
    when: tuple[str, ...] = ()
    """Conditions that must all hold, else nothing is sent."""
    sender: str | None = attrs.field(default=None, repr=False)
    """The number of the org that sends. None: any SIM."""
    max_characters: int = USUAL_CHARACTERS
    """Longer texts are cut."""
    repeat_s: int = USUAL_REPEAT_S
    """A call with the same body within so many seconds is a repeat, and sends nothing."""
    answer: AnswerForm = "json"


@attrs.frozen(kw_only=True)
class Verification:
    """How the calls of a hook are verified."""

    kind: VerificationKind
    secret: str = attrs.field(repr=False)
    header: str | None = None
    """The header that holds the value or signature, where the kind does not say."""
    timestamp_header: str | None = None
    """The header of the time that an HMAC signs before the body, with a colon between them."""


@attrs.frozen(kw_only=True)
class Outcome:
    """What became of a call."""

    kind: OutcomeKind
    detail: str = ""
    """A sentence for the owner of the hook. It holds no text of a message."""


@attrs.frozen(kw_only=True)
class Hook:
    """A secret URL of an org, to which a program posts its own JSON."""

    id: int
    org: int
    org_name: str
    name: str
    mapping: HookMapping
    verification: Verification | None = None
    key: str | None = None
    """The API key whose limits bind it, and which it ends with. None: the org itself."""
    created_at: int
    calls: int = 0
    last_used_at: int | None = None
    last: Outcome | None = None
    disabled_at: int | None = None
    disabled_reason: str | None = None
    """Why it takes no calls, in a sentence. Set with `disabled_at`."""
