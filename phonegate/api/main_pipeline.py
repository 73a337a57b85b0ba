"""The pipeline of the main server, which its fast path and its app have together."""

from typing import Final

from phonegate.api.pipeline import Pipeline
from phonegate.api.services import Services
from phonegate.api.table import Table, build_table
from phonegate.config.settings import HttpSettings, RequestLog
from phonegate.http.origins import Origins

PIPELINE_SHARE: Final = 0.9
"""Part of a request's time that the pipeline may use: it knows whether the client was slow (408) or
the gateway (503). The server, which ends what takes the whole, knows neither."""


def build_pipeline(
    services: Services,
    settings: HttpSettings,
    table: Table | None = None,
    *,
    encrypted: bool = False,
    logged: RequestLog = "all",
) -> Pipeline:
    """Returns the pipeline of a table, for the fast path and the app together.

    Args:
        services: What the handlers work with.
        settings: Limits and deadlines.
        table: The endpoints; without one, those of the API.
        encrypted: Whether the gateway itself speaks TLS.
        logged: The requests that get a line in the log.
    """
    return Pipeline(
        services,
        build_table() if table is None else table,
        request_timeout_s=settings.request_timeout_s * PIPELINE_SHARE,
        origins=Origins(services.public_url, settings.allowed_origins),
        encrypted=encrypted,
        logged=logged,
    )
