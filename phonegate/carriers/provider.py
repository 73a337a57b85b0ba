"""What a carrier is to the gateway: one record that its folder fills in.

Nothing here loads an HTTP client: `Provider.open` does, when an account is first used.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

import attrs

from phonegate.domain.carrier import Account, InboundReport, StatusReport

OPAQUE: Final = re.compile(r"[\x21-\x7e]{8,256}")
"""Printable ASCII without blanks: what a header takes. Carriers have changed the lengths of their
keys before."""
PRINTABLE: Final = "8 to 256 printable characters without blanks"
"""`OPAQUE` in words."""


def no_problem(_: str) -> None:
    """Finds nothing wrong with a credential."""


@attrs.frozen(kw_only=True)
class CredentialField:
    """One field of an account's credentials."""

    name: str
    secret: bool
    """Set for what opens the account. Other fields only name things."""
    required: bool
    form: re.Pattern[str] = attrs.field(repr=False)
    says: str
    """The form in words, after "must be"."""
    problem: Callable[[str], str | None] = attrs.field(default=no_problem, repr=False)
    """Tells why this machine can't use a value of the right form, or None."""


@attrs.frozen(kw_only=True)
class Callback:
    """A request that came to the callback address of an assistant."""

    addresses: tuple[str, ...] = attrs.field(repr=False)
    """The whole addresses that the carrier may have called, query included, likeliest first."""
    headers: Mapping[str, str] = attrs.field(repr=False)
    """By lower-case name."""
    body: bytes = attrs.field(repr=False)
    """As it came."""
    credentials: Mapping[str, str] = attrs.field(repr=False)
    """Those of the assistant."""
    now: int
    """In ms."""


class CallbackError(Exception):
    """A callback is refused, and nothing of it may be stored. The text is for an operator."""


class BadSignature(CallbackError):
    """The carrier did not sign it, or not for this address, or too long ago."""


class SignatureUnsupported(CallbackError):
    """This machine can't check the carrier's signatures with these credentials."""


class MalformedCallback(CallbackError):
    """It is not what this carrier sends."""


@attrs.frozen(kw_only=True)
class Callbacks:
    """How a carrier calls the gateway."""

    read: Callable[[Callback], StatusReport | InboundReport | None]
    """Verifies and reads a callback.

    Returns None for an event that the gateway has no use for, and raises a `CallbackError`.
    """
    setup: str
    """Where to enter the address at the carrier, and what proves a callback: a description's end,
    after "set it as the webhook of"."""
    noun: str = "call"
    """What the carrier calls a callback."""
    media: str = "application/json"
    """The Content-Type that it sends."""
    received: tuple[str, bytes] | None = None
    """The Content-Type and body of the answer to a received message, where JSON would not do."""
    key: str | None = None
    """The optional credential without which callbacks can't be verified."""
    unsigned: str = ""
    """What an operator should know of an account without `key`."""


@attrs.frozen(kw_only=True)
class Provider:
    """A carrier: everything of it that the rest of the gateway works from."""

    name: str
    """What requests, files and addresses call it."""
    title: str
    """What it calls itself."""
    base_url: str
    """Where its API is, unless `[carriers] <name>_url` says otherwise."""
    fields: tuple[CredentialField, ...]
    """The credentials of an account, in the order of asking for them."""
    account: Callable[[Mapping[str, str]], str] = attrs.field(repr=False)
    """Tells accounts apart by their credentials: two are one if this gives the same for both.

    A hash of it is stored with each message, so a carrier must never change it.
    """
    open: Callable[[str, Mapping[str, str], float | None], Account] = attrs.field(repr=False)
    """Makes the client of one account, from the API's address and right credentials.

    The last argument is how long after a try its message may still turn up. None is its usual.

    No connection is made yet.
    """
    callbacks: Callbacks = attrs.field(repr=False)
    example: str = attrs.field(repr=False)
    """Its part of the example file: an `[[assistants]]` table, each line without its `# `."""
