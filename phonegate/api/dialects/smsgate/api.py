"""All endpoints of the third-party API of SMS Gateway for Android."""

from typing import Final

from phonegate.api.dialects.smsgate import (
    devices_api,
    inbox_api,
    messages_api,
    tokens_api,
    webhooks_api,
)
from phonegate.api.endpoint import Endpoint

ENDPOINTS: Final[tuple[Endpoint, ...]] = (
    *messages_api.ENDPOINTS,
    *devices_api.ENDPOINTS,
    *webhooks_api.ENDPOINTS,
    *inbox_api.ENDPOINTS,
    *tokens_api.ENDPOINTS,
)
