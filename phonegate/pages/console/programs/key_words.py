"""What API keys may do, in the words of people. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

SCOPE_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "send": ("Send", "SMS, to anyone unless its limits name the recipients."),
    "read": ("Read", "Messages, events, phones and SIMs."),
    "manage": (
        "Manage",
        "Keys, webhooks, assistants and phones. It can't have limits, which it could lift.",
    ),
    "phone": ("Be a phone", "It delivers SMS and is given SMS to send. It can't have limits."),
}
"""What each scope is called, and what it allows."""

NAMED: Final = 3
"""Entries of a list that a sentence names."""


def several(entries: Sequence[str], noun: str) -> str:
    """Names a few entries of a list, and counts the others."""
    if len(entries) <= NAMED:
        return ", ".join(entries)
    return f"{', '.join(entries[: NAMED - 1])} and {len(entries) - NAMED + 1} more {noun}"


def count(number: int, noun: str) -> str:
    """Writes a number with its noun: "1 message", "2,000 messages"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def limits_in_words(limits: Mapping[str, Any] | None) -> list[str]:
    """Says what limits of a key mean, one sentence each. None: nothing is limited."""
    if limits is None:
        return []
    words = []
    if limits.get("to"):
        words.append(f"Sends to {several(limits['to'], 'recipients')} only.")
    for name, span in (("per_hour", "an hour"), ("per_day", "a day")):
        if limits.get(name):
            words.append(f"Sends at most {count(limits[name], 'message')} {span}.")
    if quiet := limits.get("quiet_hours"):
        begin, _, end = quiet["hours"].partition("-")
        words.append(f"Sends nothing from {begin} to {end} ({quiet['zone']}).")
    if limits.get("hold"):
        words.append("Each of its messages waits until a person approves it.")
    if limits.get("from"):
        words.append(f"Reads messages with {several(limits['from'], 'numbers')} only.")
    if limits.get("codes"):
        words.append("One-time codes are hidden from it.")
    return words


def key_snippets(
    base: str, org: str, key: str, scopes: Sequence[str], mcp: str
) -> list[tuple[str, str]]:
    """Returns what a program needs to use a new key: each text with its label.

    Args:
        base: The gateway's address.
        org: The org.
        key: The key itself.
        scopes: What it may do.
        mcp: The configuration of an MCP client, with BASE and `pgk_…` in it.
    """
    bearer = f'-H "Authorization: Bearer {key}"'
    found = [("environment", f"PHONEGATE_URL={base}\nPHONEGATE_KEY={key}")]
    if "send" in scopes:
        text = '{"to":"+15553334444","body":"Hello"}'
        send = f"curl {base}/send/{org} {bearer} -H 'Content-Type: application/json' -d '{text}'"
        found.append(("command that sends", send))
    if "read" in scopes:
        found.append(("command that reads", f"curl '{base}/messages/{org}?limit=10' {bearer}"))
    if {"send", "read"} & set(scopes):
        client = mcp.replace("BASE", base).replace("pgk_…", key)
        found.append(("configuration of an MCP client (agents)", client))
    if set(scopes) == {"phone"}:
        phone = f"PHONEGATE_KEY={key} phonegate phone --url {base}"
        found.append(("command that makes a computer a phone", phone))
    return found
