"""The whole web application: the API and the pages."""

from quart_trio import QuartTrio

from phonegate.api.app import build_app
from phonegate.api.pipeline import Pipeline
from phonegate.api.services import Services
from phonegate.api.table import build_table
from phonegate.config.settings import HttpSettings
from phonegate.pages.assets import Assets
from phonegate.pages.blueprint import build_pages


def build_whole_app(
    services: Services,
    http: HttpSettings,
    pipeline: Pipeline | None = None,
    assets: Assets | None = None,
    *,
    own_certificate: bool = False,
) -> QuartTrio:
    """Returns the app with the API and the pages. The certificate may be of an own authority."""
    app = build_app(services, http, pipeline=pipeline)
    pages = build_pages(
        build_table(),
        public_url=http.public_url,
        version=services.version,
        max_body_bytes=http.max_body_bytes,
        registration=services.accounts.orgs.registration,
        is_empty=lambda: services.accounts.set_up.is_open,
        own_certificate=own_certificate,
        assets=assets,
    )
    app.register_blueprint(pages)
    return app
