"""Telnyx's own library, loaded when a test first asks for something of it.

Loading it takes seconds, and every worker of pytest imports every test.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from telnyx import AuthenticationError, NotFoundError, Telnyx, UnprocessableEntityError
    from telnyx.lib.webhook_verification import WebhookVerificationError, verify_webhook_signature
else:

    def __getattr__(name: str) -> Any:
        if name not in __all__:
            raise AttributeError(name)
        signed = name in {"WebhookVerificationError", "verify_webhook_signature"}
        return getattr(
            importlib.import_module("telnyx.lib.webhook_verification" if signed else "telnyx"), name
        )


__all__ = [
    "AuthenticationError",
    "NotFoundError",
    "Telnyx",
    "UnprocessableEntityError",
    "WebhookVerificationError",
    "verify_webhook_signature",
]
