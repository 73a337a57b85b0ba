"""Phones and SIMs as the client reads them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs

from phonegate.client.record import Record


@attrs.frozen(kw_only=True)
class Sim(Record):
    """A SIM of one of the org's phones."""

    slot: int
    number: str | None = None
    carrier: str | None = None


@attrs.frozen(kw_only=True)
class PhoneSim(Sim):
    """A SIM, as one of its phone."""

    given: bool = False
    """Whether its number was given by a person, since the phone does not know it."""


@attrs.frozen(kw_only=True)
class Sims(Record):
    """The SIMs of an org's phones."""

    online_devices: int
    """How many phones are online."""
    live_sims: tuple[Sim, ...]
    """Those that are in phones that are online."""
    known_sims: tuple[Sim, ...]
    """All of them."""


@attrs.frozen(kw_only=True)
class Phone(Record):
    """A phone, with its health as far as it reports it."""

    id: int
    kind: str
    name: str | None = None
    device_id: str | None = None
    model: str | None = None
    app: str | None = None
    online: bool
    last_seen: datetime | None = None
    battery: int | None = None
    """In percent."""
    charging: bool | None = None
    signal: int | None = None
    """In bars or dBm, as the phone has it."""
    network: str | None = None
    sims: tuple[PhoneSim, ...] = ()
    waiting: int | None = None
    """Messages that wait for it. An event says nothing of them."""
    hint: str | None = None
    """What its owner may do for it."""


@attrs.frozen(kw_only=True)
class Me(Record):
    """What the gateway knows of the credential that the client has."""

    org_id: str
    scopes: tuple[str, ...] = ()
    key_id: str | None = None
    limits: Mapping[str, Any] | None = None
    """What the API key may do, where that is limited."""
    default_country: str | None = None
    """The country of numbers that are written without one, such as `DE`."""
    max_characters: int | None = None
    """How long a text may be."""
    account_sid: str | None = None
    """By which the gateway's API in Twilio's form knows the org."""
