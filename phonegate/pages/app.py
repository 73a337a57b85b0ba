"""The whole web application: the API and the pages."""

from collections.abc import Collection, Sequence

from quart_trio import QuartTrio

from phonegate.api.app import build_app
from phonegate.api.endpoint import Endpoint
from phonegate.api.main_pipeline import PIPELINE_SHARE
from phonegate.api.pipeline import Pipeline
from phonegate.api.services import Services
from phonegate.api.table import build_table
from phonegate.config.settings import HttpSettings
from phonegate.http.origins import Origins
from phonegate.model.dialects import DIALECTS
from phonegate.pages.assets import Assets
from phonegate.pages.blueprint import build_pages
from phonegate.pages.console.blueprint import NAME as CONSOLE
from phonegate.pages.console.blueprint import build_console


def build_whole_app(
    services: Services,
    http: HttpSettings,
    pipeline: Pipeline | None = None,
    assets: Assets | None = None,
    *,
    own_certificate: bool = False,
    inner: Sequence[Endpoint] = (),
    dialects: Collection[str] = DIALECTS,
) -> QuartTrio:
    """Returns the app with the API, the pages and the console.

    Args:
        services: What all of it works with.
        http: Limits and deadlines.
        pipeline: What answers the table's endpoints; without one the app has its own.
        assets: The files that the pages load, where they are read already.
        own_certificate: Whether the certificate is of the gateway's own authority.
        inner: What the console calls beside the API, such as the owner's endpoints.
        dialects: The dialects that are served.
    """
    table = build_table(dialects=dialects)
    app = build_app(services, http, pipeline=pipeline, described=table)
    assets = Assets() if assets is None else assets
    pages = build_pages(
        table,
        public_url=http.public_url,
        version=services.version,
        max_body_bytes=http.max_body_bytes,
        registration=services.accounts.orgs.registration,
        is_empty=lambda: services.accounts.set_up.is_open,
        own_certificate=own_certificate,
        assets=assets,
    )
    app.register_blueprint(pages)
    app.counting.add(CONSOLE)
    app.register_blueprint(
        build_console(
            services,
            (*table.endpoints, *inner),
            asset=assets.address,
            origins=Origins(services.public_url, http.allowed_origins),
            timeout_s=http.request_timeout_s * PIPELINE_SHARE,
        )
    )
    return app
