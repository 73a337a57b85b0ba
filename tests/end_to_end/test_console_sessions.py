"""Sessions of the console over real HTTP: their streams, a proxy before them, and restarts."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from kit.gateway import GatewayProcess
from phonegate.operations.control_client import OwnerRequest, ask
from tests.pages.console.conftest import csrf_of, form_token

SECRET = "a-long-secret-of-a-test"
TOKEN = "operator-token-of-a-test"


@contextmanager
def signed_in(url: str, org: str = "myorg", secret: str = SECRET) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, trust_env=False) as client:
        page = client.get("/console/sign-in")
        form = {"org": org, "secret": secret, "csrf": form_token(page.text)}
        answer = client.post("/console/sign-in", data=form, headers={"Origin": url})
        assert answer.status_code == 303, answer.text
        yield client


def is_open(client: httpx.Client, url: str) -> bool:
    """Tells whether a browser is signed in, also where the gateway is at another port by now."""
    shown = {"Cookie": "; ".join(f"{one.name}={one.value}" for one in client.cookies.jar)}
    answer = httpx.get(f"{url}/console/sessions", headers=shown, trust_env=False)
    return answer.status_code == 200


def test_a_session_ends_with_its_streams_and_outlives_a_restart(tmp_path: Path) -> None:
    database = tmp_path / "phonegate.db"
    settings = {"OPERATOR_TOKEN": TOKEN, "HTTP_TRUSTED_PROXIES": "127.0.0.1"}
    with ExitStack() as stack, GatewayProcess(database, settings=settings) as gateway:
        ask(database, OwnerRequest("POST", "/orgs", {"org": "myorg", "secret": SECRET}))
        mine = stack.enter_context(signed_in(gateway.url))
        other = stack.enter_context(signed_in(gateway.url))
        with other.stream("GET", "/console/live") as stream:
            assert stream.status_code == 200
            pieces = stream.iter_raw()
            assert next(pieces)
            form = {"csrf": csrf_of(mine.get("/console/sessions").text)}
            ended = mine.post("/console/sessions/end", data=form, headers={"Origin": gateway.url})
            assert ended.status_code == 303
            assert b"".join(pieces).endswith(b"event: ended\ndata: {}\n\n")
        assert is_open(mine, gateway.url)
        assert not is_open(other, gateway.url)

        # A proxy that ends TLS, with a path of its own for the gateway.
        told = {
            "X-Forwarded-For": "203.0.113.5",
            "X-Forwarded-Proto": "https",
            "X-Forwarded-Prefix": "/sms",
        }
        seen = httpx.get(f"{gateway.url}/console/sign-in", headers=told, trust_env=False)
        cookie = seen.headers["set-cookie"]
        assert cookie.startswith("__Secure-")
        assert "Path=/sms/console" in cookie
        assert "Secure" in cookie.rpartition("SameSite=Strict")[2]
        assert 'action="/sms/console/sign-in"' in seen.text

        operator = stack.enter_context(signed_in(gateway.url, "", TOKEN))
        assert operator.get("/console/operator").status_code == 200
    closed = {**settings, "OPERATOR_CONSOLE": "false"}
    with GatewayProcess(database, settings=closed) as gateway:
        assert is_open(mine, gateway.url)
        # The token reads metrics still, and opens no page.
        assert not is_open(operator, gateway.url)
        shown = {"Authorization": f"Bearer {TOKEN}"}
        metrics = httpx.get(f"{gateway.url}/metrics", headers=shown, trust_env=False)
        assert metrics.status_code == 200
        # As the owner's command does it, in a process of its own.
        ask(database, OwnerRequest("POST", "/orgs/myorg/secret", {}))
        assert not is_open(mine, gateway.url)
