"""Opens the client of an account, from what the owner typed."""

from collections.abc import Callable, Mapping

import attrs
import httpx

from phonegate.carriers.credentials import Provider, check_credentials
from phonegate.carriers.telnyx import Telnyx
from phonegate.carriers.twilio import Twilio
from phonegate.carriers.wire import open_client
from phonegate.domain.carrier import Account
from phonegate.model.times import now_ms


@attrs.frozen(kw_only=True)
class CarrierUrls:
    """Where the carriers' APIs are."""

    twilio: str = "https://api.twilio.com"
    telnyx: str = "https://api.telnyx.com"


def open_carrier(
    provider: Provider,
    credentials: Mapping[str, object],
    *,
    urls: CarrierUrls,
    client: Callable[[], httpx.AsyncClient] = open_client,
    now_ms: Callable[[], int] = now_ms,
    settle_s: float | None = None,
) -> Account:
    """The client of one account; no connection is made yet.

    Args:
        provider: Whose account it is.
        credentials: As `credentials.FIELDS` says.
        urls: Where to reach the carriers.
        client: Makes the HTTP client.
        now_ms: The wall clock.
        settle_s: How long after a try its message may still turn up; None for what suits
            the carrier (see `SETTLE_S` in `twilio` and `telnyx`).

    Raises:
        BadInput: The credentials can't be right.
    """
    kept = check_credentials(provider, credentials)
    more = {} if settle_s is None else {"settle_s": settle_s}
    if provider == "twilio":
        return Twilio(
            urls.twilio,
            kept["account_sid"],
            kept["auth_token"],
            kept.get("messaging_service_sid"),
            client=client,
            now_ms=now_ms,
            **more,
        )
    return Telnyx(
        urls.telnyx,
        kept["api_key"],
        kept.get("messaging_profile_id"),
        client=client,
        now_ms=now_ms,
        **more,
    )
