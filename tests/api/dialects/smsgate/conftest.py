import pytest

from tests.api.conftest import Web
from tests.api.dialects.smsgate.client import BASE, Client


@pytest.fixture(params=[BASE, "/3rdparty/v1", ""], ids=["prefixed", "short", "root"])
def client(request: pytest.FixtureRequest, web: Web) -> Client:
    """A client at each of the addresses at which the API is."""
    return Client(web, base=request.param)
