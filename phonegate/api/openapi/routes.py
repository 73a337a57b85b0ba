"""`/openapi.json`, and the answer to plain HTTP at the phones' address."""

from typing import Final, NoReturn

from quart import Blueprint, Response, request

from phonegate.api.address import own_address
from phonegate.api.openapi.document import Publication
from phonegate.api.openapi.phone_link import PATH as PHONE_PATH
from phonegate.api.table import Table
from phonegate.http.refusals import UpgradeRequired

PATH: Final = "/openapi.json"


def build_openapi(table: Table, *, public_url: str, version: str) -> Blueprint:
    """Returns the document of a table as a page that all may read: it tells nothing of any org."""
    pages = Blueprint("openapi", "phonegate.api.openapi")
    publication = Publication(table, version)

    async def openapi() -> Response:
        host = request.headers.get("Host", "")
        address = own_address(public_url, request.scheme, host, request.root_path)
        text, tag = publication.read(address)
        response = Response(text, content_type="application/json")
        response.set_etag(tag)
        # To be asked for anew each time, which costs an empty 304 while nothing has changed;
        # it names the host that it was asked at.
        response.headers["Cache-Control"] = "no-cache"
        response.headers["Vary"] = "Host"
        await response.make_conditional(request)
        return response

    async def phones() -> NoReturn:
        raise UpgradeRequired

    pages.add_url_rule(PATH, view_func=openapi)
    pages.add_url_rule(PHONE_PATH, view_func=phones)
    return pages
