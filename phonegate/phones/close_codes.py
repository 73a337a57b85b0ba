"""The codes with which the gateway closes a phone's link (RFC 6455, 7.4)."""

from typing import Final

POLICY_VIOLATION: Final = 1008

FORGOTTEN: Final = "the phone was forgotten"
"""The reason of a close with `POLICY_VIOLATION` where a phone's owner has forgotten it."""

TOO_BIG: Final = 1009

RESTART: Final = 1012
"""Come back soon (registry of RFC 6455): the gateway restarts, or the org moves to another."""

TRY_AGAIN: Final = 1013
"""Later, that is (registry of RFC 6455)."""

REPLACED: Final = 4000
"""The same phone has connected anew (private use)."""
