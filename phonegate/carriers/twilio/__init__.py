"""Twilio: its credentials, and what the gateway needs of it."""

import re
from collections.abc import Mapping
from typing import Final

from phonegate.carriers.provider import OPAQUE, PRINTABLE, Callbacks, CredentialField, Provider
from phonegate.carriers.twilio.callbacks import FORM, read
from phonegate.domain.carrier import Account


def _open(base_url: str, credentials: Mapping[str, str], grace_s: float | None) -> Account:
    # A gateway of phones alone need not load an HTTP client: a tenth of its start.
    from phonegate.carriers.twilio.client import Twilio  # noqa: PLC0415

    return Twilio(
        base_url,
        credentials["account_sid"],
        credentials["auth_token"],
        credentials.get("messaging_service_sid"),
        grace_s=grace_s,
    )


PROVIDER: Final = Provider(
    name="twilio",
    title="Twilio",
    base_url="https://api.twilio.com",
    fields=(
        CredentialField(
            name="account_sid",
            secret=False,
            required=True,
            form=re.compile(r"AC[0-9a-fA-F]{32}"),
            says="AC and 32 hexadecimal digits",
        ),
        CredentialField(name="auth_token", secret=True, required=True, form=OPAQUE, says=PRINTABLE),
        CredentialField(
            name="messaging_service_sid",
            secret=False,
            required=False,
            form=re.compile(r"MG[0-9a-fA-F]{32}"),
            says="MG and 32 hexadecimal digits",
        ),
    ),
    account=lambda credentials: credentials.get("account_sid", "") + "\n",
    open=_open,
    callbacks=Callbacks(
        read=read,
        setup="the number or messaging service. Each call must bear Twilio's X-Twilio-Signature.",
        media=FORM,
        # It tells Twilio to send the sender no reply.
        received=("text/xml", b'<?xml version="1.0" encoding="UTF-8"?><Response/>'),
    ),
    example="""\
[[assistants]]
org = "myorg"
name = "support"
provider = "twilio"
phone_numbers = ["+15551110001"]
account_sid = "AC0123456789abcdef0123456789abcdef"
auth_token = "env:TWILIO_AUTH_TOKEN"
Optional key: messaging_service_sid.
""",
)
"""Twilio as the registry lists it."""
