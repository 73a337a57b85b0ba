"""The `X-Twilio-Signature` of a form, which Twilio sends and the gateway sends in its way. Pure.

Source: twilio.com/docs/usage/webhooks/webhooks-security.
"""

import base64
import hmac
from collections.abc import Iterable

from phonegate.http import hmac_state


def sign(secret: str | bytes, url: str, fields: Iterable[tuple[str, str]] = ()) -> str:
    """Returns the signature of a request.

    Args:
        secret: What the caller and its receiver share: of Twilio the account's auth token. Bytes
            are the state that `hmac_state` has made of it, which signs the same.
        url: The whole address that is called, query included.
        fields: The form's names and values, in any order. A field that is there twice counts once.
    """
    signed = url + "".join(f"{name}{value}" for name, value in sorted(set(fields)))
    message = signed.encode("utf-8", "surrogatepass")
    if isinstance(secret, bytes):
        mac = hmac_state.sign(secret, message)
    else:
        mac = hmac.digest(secret.encode(), message, "sha1")
    return base64.b64encode(mac).decode()
