"""`GET /health`: whether the gateway works, for load balancers and service managers."""

from typing import Final

import attrs
import trio

from phonegate.api.endpoint import (
    Answer,
    Call,
    Endpoint,
    Example,
)
from phonegate.model.storage_errors import StorageUnavailable
from phonegate.typed_json.fields import field

READ_DEADLINE_S: Final = 5.0
"""A store that can't read one row in this time is of no use. Checkers give up not much later."""

NO_ORG: Final = 0
"""Looking for it reads the store, and finds nothing: ids begin at 1."""


@attrs.frozen(kw_only=True)
class HealthAnswer:
    """It works."""

    ok: bool = field("Always true; a gateway that can't reach its storage answers 503.")
    version: str = field("The program's version.", example="0.1.0")
    uptime_s: int = field("Seconds since it started.", example=86400)


async def health(call: Call) -> Answer:
    """Answers with the version, once one row was read."""
    services = call.services
    with trio.move_on_after(READ_DEADLINE_S) as deadline:
        await services.accounts.orgs.find(NO_ORG)
    if deadline.cancelled_caught:
        raise StorageUnavailable("reading took too long")
    uptime = max(0, services.now_ms() - services.started_at) // 1000
    return Answer(content=HealthAnswer(ok=True, version=services.version, uptime_s=uptime))


ENDPOINTS: Final = (
    Endpoint(
        name="health",
        method="GET",
        paths=("/health",),
        scope=None,
        group="gateway",
        summary="Whether the gateway works",
        answer=HealthAnswer,
        error_codes=("storage_unavailable",),
        examples=(
            Example(
                title="is it up",
                path="/health",
                answer='{"ok":true,"version":"0.1.0","uptime_s":86400}',
            ),
        ),
        handler=health,
        fast_path=True,
    ),
)
