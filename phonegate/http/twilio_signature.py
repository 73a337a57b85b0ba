"""The `X-Twilio-Signature` of a form, which Twilio sends and the gateway sends in its way. Pure.

Source: twilio.com/docs/usage/webhooks/webhooks-security.
"""

import base64
import hmac
from collections.abc import Iterable


def sign(secret: str, url: str, fields: Iterable[tuple[str, str]] = ()) -> str:
    """Returns the signature of a request.

    Args:
        secret: What the caller and its receiver share: of Twilio the account's auth token.
        url: The whole address that is called, query included.
        fields: The form's names and values, in any order. A field that is there twice counts once.
    """
    signed = url + "".join(f"{name}{value}" for name, value in sorted(set(fields)))
    mac = hmac.digest(secret.encode(), signed.encode("utf-8", "surrogatepass"), "sha1")
    return base64.b64encode(mac).decode()
