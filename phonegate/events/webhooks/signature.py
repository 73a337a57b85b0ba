"""Signs what receivers of webhooks get, so that they can tell who called. Pure.

Shape `twilio` is signed as Twilio signs, see `http/twilio_signature.py`, and shape `smsgate` as the
app SMS Gateway for Android signs. All others follow Standard Webhooks (`standard_webhooks.py`).
"""

import hmac

from phonegate.http.twilio_signature import sign as sign_form
from phonegate.model.webhooks import Webhook
from phonegate.standard_webhooks import ID_HEADER, SIGNATURE_HEADER, TIME_HEADER, signature


def current_secrets(webhook: Webhook, now: int) -> tuple[str, ...]:
    """Returns the secrets that sign at a time (ms): for a day after a rotation the old one too."""
    old, until = webhook.old_secret, webhook.old_secret_until
    if old is None or until is None or now >= until:
        return (webhook.secret,)
    return (webhook.secret, old)


def standard_headers(
    call_id: str, body: bytes, secrets: tuple[str, ...], now: int
) -> list[tuple[str, str]]:
    """Returns the headers of Standard Webhooks.

    Args:
        call_id: Names what is delivered, the same at every attempt.
        body: What is sent, byte for byte.
        secrets: Each makes a signature.
        now: The time of this attempt, in ms.
    """
    seconds = str(now // 1000)
    signatures = (signature(secret, call_id, seconds, body) for secret in secrets)
    return [
        (ID_HEADER, call_id),
        (TIME_HEADER, seconds),
        (SIGNATURE_HEADER, " ".join(signatures)),
    ]


def twilio_headers(
    url: str, fields: tuple[tuple[str, str], ...], secret: str | bytes
) -> list[tuple[str, str]]:
    """Returns the header of Twilio's. There is one signature.

    Args:
        url: What is called.
        fields: Those of a form that is posted.
        secret: The secret as it is shown, or a state that signs as another one does.
    """
    return [("x-twilio-signature", sign_form(secret, called(url), fields))]


def smsgate_headers(body: bytes, secret: str, now: int) -> list[tuple[str, str]]:
    """Returns the headers of the app SMS Gateway for Android: its time counts as part of the body.

    Args:
        body: What is sent, byte for byte.
        secret: The one of all webhooks of this shape.
        now: The time of this attempt, in ms.
    """
    seconds = str(now // 1000)
    signature = hmac.digest(secret.encode(), body + seconds.encode(), "sha256")
    return [("x-timestamp", seconds), ("x-signature", signature.hex())]


def called(url: str) -> str:
    """Returns a URL as its receiver finds it in the request: normalised, and without fragment."""
    import httpx  # noqa: PLC0415 - a gateway without webhooks and carriers does without

    parsed = httpx.URL(url)
    target = parsed.raw_path.decode("ascii")
    return f"{parsed.scheme}://{parsed.netloc.decode('ascii')}{target}"
