"""Telnyx: its credentials, and what the gateway needs of it."""

import re
from collections.abc import Mapping
from typing import Final

from phonegate.carriers.provider import (
    OPAQUE,
    PRINTABLE,
    Callbacks,
    CredentialField,
    Provider,
    SignatureUnsupported,
)
from phonegate.carriers.telnyx.callbacks import read
from phonegate.carriers.telnyx.signature import check_public_key
from phonegate.domain.carrier import Account


def _open(base_url: str, credentials: Mapping[str, str], grace_s: float | None) -> Account:
    # A gateway of phones alone need not load an HTTP client: a tenth of its start.
    from phonegate.carriers.telnyx.client import Telnyx  # noqa: PLC0415

    return Telnyx(
        base_url,
        credentials["api_key"],
        credentials.get("messaging_profile_id"),
        grace_s=grace_s,
    )


def _public_key_problem(public_key: str) -> str | None:
    try:
        check_public_key(public_key)
    except SignatureUnsupported as error:
        return str(error)
    return None


PROVIDER: Final = Provider(
    name="telnyx",
    title="Telnyx",
    base_url="https://api.telnyx.com",
    fields=(
        CredentialField(name="api_key", secret=True, required=True, form=OPAQUE, says=PRINTABLE),
        CredentialField(
            name="public_key",
            secret=False,
            required=False,
            form=re.compile(r"[A-Za-z0-9+/]{43}="),
            says="32 bytes in base64, as the portal shows it",
            problem=_public_key_problem,
        ),
        CredentialField(
            name="messaging_profile_id",
            secret=False,
            required=False,
            form=re.compile(r"[0-9A-Za-z-]{1,64}"),
            says="a profile's id",
        ),
    ),
    account=lambda credentials: "\n" + credentials.get("api_key", ""),
    open=_open,
    callbacks=Callbacks(
        read=read,
        setup="the messaging profile. With the public_key of the account each call must bear "
        "Telnyx's signature.",
        noun="event",
        key="public_key",
        unsigned="without public_key, nothing but their unguessable address proves that callbacks "
        "come from Telnyx: set it (Mission Control, Keys & Credentials, Public Key)",
    ),
    example="""\
[[assistants]]
org = "myorg"
name = "reminders"
provider = "telnyx"
phone_numbers = ["+15551110002", "+15551110003"]
api_key = "env:TELNYX_API_KEY"
Optional keys: messaging_profile_id; public_key, which checks the signatures of callbacks and
needs the package cryptography.
""",
)
"""Telnyx as the registry lists it."""
