"""The endpoints `GET /metrics` and `GET /ready`, at the operator's own address or the main one."""

import hmac
from typing import Final

import attrs

from phonegate.api.endpoint import Answer, Call, Endpoint
from phonegate.http.credentials import bearer_token
from phonegate.model.refusals import Unauthorized
from phonegate.operations.collector import Collector
from phonegate.operations.readiness import Readiness
from phonegate.typed_json.fields import field

GROUP: Final = "operator"


@attrs.frozen(kw_only=True)
class ReadyAnswer:
    """The gateway can be given work."""

    ok: bool = field("Always true; a gateway that is not ready answers 503.")


@attrs.frozen(kw_only=True)
class MetricsAnswer:
    """Not JSON, but the text format of Prometheus, or OpenMetrics."""


class OperatorEndpoints:
    """Answers requests with the operator's token, or all requests where no token is set."""

    def __init__(self, collector: Collector, readiness: Readiness, *, token: str) -> None:
        self._collector = collector
        self._readiness = readiness
        self._token = token.encode()

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Returns both endpoints. The gateway's public documents leave them out."""
        return (
            Endpoint(
                name="metrics",
                method="GET",
                paths=("/metrics",),
                scope=None,
                knows_caller=True,
                group=GROUP,
                summary="Metrics for Prometheus",
                answer=MetricsAnswer,
                handler=self.metrics,
                fast_path=True,
            ),
            Endpoint(
                name="ready",
                method="GET",
                paths=("/ready",),
                scope=None,
                knows_caller=True,
                group=GROUP,
                summary="Whether the gateway should be given work",
                answer=ReadyAnswer,
                statuses=(200, 503),
                handler=self.ready,
                fast_path=True,
            ),
        )

    async def metrics(self, call: Call) -> Answer:
        """Answers with everything that is counted."""
        self._admit(call)
        # Imported with the first scrape: most gateways are never scraped, and the import takes
        # time and memory.
        from phonegate.operations.exposition import expose  # noqa: PLC0415

        text, media = expose(
            await self._collector.snapshot(), call.request.headers.get("accept", "")
        )
        return Answer(content=text, media=media)

    async def ready(self, call: Call) -> Answer:
        """Tries whether a write becomes durable, and checks what else makes it not ready."""
        self._admit(call)
        reasons = await self._readiness.reasons()
        if not reasons:
            return Answer(content=ReadyAnswer(ok=True))
        content = {
            "ok": False,
            "detail": " ".join(reason.detail for reason in reasons),
            "code": "not_ready",
            "reasons": [{"code": one.code, "detail": one.detail} for one in reasons],
        }
        return Answer(status=503, content=content, headers=(("Retry-After", "5"),))

    def _admit(self, call: Call) -> None:
        """Raises `Unauthorized` where there is a token and the request does not show it."""
        if not self._token:
            return
        shown = bearer_token(call.request.headers)
        if shown is None or not hmac.compare_digest(
            shown.encode("utf-8", "surrogateescape"), self._token
        ):
            raise Unauthorized("This needs the operator's token: Authorization: Bearer ...")
