"""The check of a call of a webhook, by its time."""

import json

import pytest

from phonegate.client import BadSignature, verify_webhook
from phonegate.standard_webhooks import (
    ID_HEADER,
    SIGNATURE_HEADER,
    TIME_HEADER,
    TOLERANCE_S,
    signature,
)

SECRET = "whsec_c2VjcmV0"
MADE_AT = 1_796_000_000
BODY = json.dumps(
    {"id": 3, "type": "phone.online", "created_at": "2026-11-29T10:08:09.194Z", "data": {}}
).encode()
HEADERS = {
    ID_HEADER: "3",
    TIME_HEADER: str(MADE_AT),
    SIGNATURE_HEADER: signature(SECRET, "3", str(MADE_AT), BODY),
}


@pytest.mark.parametrize("by_s", [-TOLERANCE_S, 0, TOLERANCE_S])
def test_a_call_may_be_a_little_older_or_newer(by_s: int) -> None:
    assert verify_webhook(SECRET, HEADERS, BODY, now=MADE_AT + by_s).id == 3


@pytest.mark.parametrize("by_s", [-TOLERANCE_S - 1, TOLERANCE_S + 1])
def test_a_call_that_is_too_old_or_from_the_future_is_refused(by_s: int) -> None:
    with pytest.raises(BadSignature, match="too old or from the future"):
        verify_webhook(SECRET, HEADERS, BODY, now=MADE_AT + by_s)
