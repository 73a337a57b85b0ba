"""A person at the console: a client that keeps its cookie and sends forms as a browser does."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import attrs
import httpx
import pytest

from tests.api.conftest import HOME, ORG, SECRET, Web, database, web
from tests.patience import PATIENCE_S

__all__ = ["Person", "database", "web"]


@pytest.fixture(scope="session", autouse=True)
def _whole_batches_in_one_step() -> Iterator[None]:
    """Has a request go on with a batch for longer than a busy machine takes over all of it."""
    with pytest.MonkeyPatch.context() as patch:
        name = "phonegate.pages.console.sending.batch_sending.STEP_S"
        patch.setattr(name, PATIENCE_S)
        yield


_CSRF = re.compile(r'data-csrf="([0-9a-f]+)"')


@attrs.define
class Person:
    """Someone with a browser."""

    web: Web
    client: httpx.AsyncClient
    csrf: str = ""

    @classmethod
    async def signed_in(cls, web: Web, secret: str = SECRET, org: str = ORG) -> "Person":
        """Signs in to an org, or by an API key with an empty org."""
        person = cls(web, web.client())
        shown = await person.client.get("/console/sign-in")
        form = {"org": org, "secret": secret, "csrf": form_token(shown.text)}
        answer = await person.client.post("/console/sign-in", data=form, headers=_ORIGIN)
        assert answer.status_code == 303, answer.text
        return person

    async def look(self, path: str, status: int = 200) -> httpx.Response:
        """Opens a page below the console."""
        answer = await self.client.get(f"/console{path}")
        assert answer.status_code == status, (answer.status_code, answer.text)
        if _CSRF.search(answer.text) is not None:
            self.csrf = csrf_of(answer.text)
        return answer

    async def send(
        self, path: str, form: Mapping[str, Any] | None = None, *, script: bool = False
    ) -> httpx.Response:
        """Sends a form, as a page of the console does after it was opened."""
        if not self.csrf:
            await self.look("/sessions")
        headers = {**_ORIGIN, **({"X-Console": "script"} if script else {})}
        fields = {"csrf": self.csrf, **(form or {})}
        return await self.client.post(f"/console{path}", data=fields, headers=headers)


def csrf_of(page: str) -> str:
    """What the forms hold that a page of someone who has signed in sends."""
    found = _CSRF.search(page)
    assert found is not None, page
    return found[1]


def form_token(page: str) -> str:
    """What the form of a page to sign in at holds."""
    found = re.search(r'name="csrf" value="([0-9a-f]+)"', page)
    assert found is not None, page
    return found[1]


_ORIGIN = {"Origin": HOME}
