"""The pages stand on the same web as the API."""

from tests.api.conftest import database, web

__all__ = ["database", "web"]
