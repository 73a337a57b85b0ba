"""Acme, a small carrier that only tests know: a folder as `carriers/` has one for each.

`python -m tests.carriers.third` is phonegate with Acme in its registry. Nothing else is changed.
"""

import hmac
import os
import re
from collections.abc import Mapping
from typing import Final

from phonegate.carriers import words
from phonegate.carriers.callbacks import json_object, received
from phonegate.carriers.provider import (
    OPAQUE,
    PRINTABLE,
    BadSignature,
    Callback,
    Callbacks,
    CredentialField,
    MalformedCallback,
    Provider,
)
from phonegate.domain.carrier import Account, InboundReport, Progress, StatusReport

PROGRESS: Final[Mapping[str, Progress]] = {"accepted": "sending", "done": "delivered"}


def sign(access_key: str, body: bytes) -> str:
    """The `X-Acme-Signature` of a callback."""
    return hmac.digest(access_key.encode(), body, "sha256").hex()


def _open(base_url: str, credentials: Mapping[str, str], _: float | None) -> Account:
    from tests.carriers.third.client import Acme  # noqa: PLC0415 - it loads an HTTP client

    return Acme(base_url, credentials["access_key"])


def _read(callback: Callback) -> StatusReport | InboundReport | None:
    given = callback.headers.get("x-acme-signature", "")
    if not hmac.compare_digest(given, sign(callback.credentials["access_key"], callback.body)):
        raise BadSignature("X-Acme-Signature is wrong")
    event = json_object(callback.body)
    carrier_id = words.as_id(event.get("id"))
    if carrier_id is None:
        raise MalformedCallback("there is no id")
    if "text" in event:
        return received(carrier_id, event, media=(), segments=None)
    progress = PROGRESS.get(str(event.get("state")))
    return None if progress is None else StatusReport(carrier_id=carrier_id, progress=progress)


PROVIDER: Final = Provider(
    name="acme",
    title="Acme",
    base_url=os.environ.get("ACME_URL", "https://api.acme.test"),
    fields=(
        CredentialField(
            name="account_id",
            secret=False,
            required=True,
            form=re.compile(r"[a-z0-9-]{4,20}"),
            says="4 to 20 of a-z, 0-9 and -",
        ),
        CredentialField(name="access_key", secret=True, required=True, form=OPAQUE, says=PRINTABLE),
    ),
    account=lambda credentials: credentials["account_id"],
    open=_open,
    callbacks=Callbacks(
        read=_read,
        setup="the number. Each call must bear Acme's X-Acme-Signature.",
        noun="notice",
        received=("text/plain", b"THANKS"),
    ),
    example="""\
[[assistants]]
org = "myorg"
name = "acme"
provider = "acme"
phone_numbers = ["+15551110005"]
account_id = "acme-1"
access_key = "env:ACME_ACCESS_KEY"
""",
)
