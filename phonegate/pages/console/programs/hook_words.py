"""Hooks and what became of their calls, in the words of people. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from phonegate.pages.console.programs.webhook_words import Badge
from phonegate.pages.console.words import Mood

VERIFICATION_WORDS: Final[Mapping[str, str]] = {
    "none": "Its URL alone",
    "standard": "Standard Webhooks: whsec_ and a signature of each call",
    "zitadel": "ZITADEL-Signature",
    "hmac": "A header with the HMAC-SHA256 of the body",
    "basic": "A user and a password",
    "header": "A header with a fixed value, such as Authorization",
}
"""What each kind of verification is called."""

ANSWER_WORDS: Final[Mapping[str, str]] = {
    "json": "Their status, and JSON",
    "supabase": "As Supabase Auth (GoTrue) reads them",
}
"""How a program is answered that something is wrong."""

_OUTCOMES: Final[Mapping[str, tuple[Mood, str]]] = {
    "sent": ("ok", "Sent"),
    "skipped": ("", "Condition not met"),
    "repeat": ("", "A repeat"),
    "refused": ("bad", "Refused"),
}


def hook_standing(hook: Mapping[str, Any]) -> Badge:
    """Says how a hook is, of what the API shows of it."""
    if not hook["enabled"]:
        return Badge("bad", "Disabled", hook["disabled_reason"] or "")
    last = hook["last"]
    if last is None:
        return Badge("", "Not called yet")
    mood, word = _OUTCOMES[last["kind"]]
    return Badge(mood, word, last["detail"])


def tried_words(tried: Mapping[str, Any]) -> str:
    """Says what a mapping makes of a sample, of what the API answers to a trial."""
    if not tried["sends"]:
        return f"Nothing would be sent. {tried['reason']}."
    numbers = len(tried["to"])
    to = "number" if numbers == 1 else "numbers"
    return (
        f"It would send {_counted(tried['segments'], 'SMS', 'SMS')} of "
        f"{_counted(tried['characters'], 'character', 'characters')} to {numbers} {to}."
    )


def _counted(number: int, one: str, several: str) -> str:
    return f"{number:,} {one if number == 1 else several}"
