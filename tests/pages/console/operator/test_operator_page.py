"""The operator's page: what it shows of a status, and what it does for the operator alone."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from phonegate.config.settings import HttpSettings
from phonegate.domain.alarms import News
from phonegate.operations.alarms_api import alarms_endpoints
from phonegate.operations.copies_api import copies_endpoints
from phonegate.operations.copying import CopyDesk
from phonegate.operations.notices.messenger import Trial
from phonegate.operations.owner_api import OwnerEndpoints
from phonegate.pages.app import build_whole_app
from phonegate.pages.console.operator.operator_page import figures
from tests.api.conftest import NOW, OPERATOR_TOKEN, ORG, SECRET, Web, database, web
from tests.pages.console.conftest import Person

__all__ = ["database", "web"]

STATUS: Mapping[str, Any] = {
    "version": "0.1.0",
    "pid": 1,
    "uptime_s": 90_061,
    "phones_online": 3,
    "connections": 7,
    "event_followers": 2,
    "messages": {"queued": 1_234, "received": 5, "failed": 0},
    "waiting": {
        "phone": {"messages": 1_000, "oldest_s": 7_200},
        "turn": {"messages": 234, "oldest_s": 5},
        "time": {"messages": 0, "oldest_s": None},
    },
    "lately": {"seconds": 60.0, "sent": 40, "received": 7, "delivered": 30, "failed": 2}
    | {"expired": 1},
    "requests": {"lately": 99, "total": 1_000},
    "storage": {
        "database_bytes": 5_000_000,
        "log_bytes": 1_000,
        "free_bytes": 7 * 10**9,
        "failing": False,
        "in_place": True,
    },
    "alarms": [],
    "tasks": 50,
    "lag_s": 0.004,
    "phones": {ORG: 2, "other": 1},
}

NEWS = News(
    key=("phone_away", ORG),
    begins=True,
    since=NOW / 1000 - 90,
    fields={"org": ORG, "messages": 3, "waited_s": 90},
)


@pytest.fixture
async def run(web: Web, nursery: trio.Nursery) -> Web:
    """A gateway that runs, as far as its operator sees."""

    async def status(*, phones: bool) -> Any:
        assert phones
        return STATUS

    async def test() -> Any:
        return [("webhook <b>ntfy</b>", Trial(arrived=False, answer="HTTP 500", seconds=0.25))]

    desk = CopyDesk(web.database, now_ms=web.services.now_ms)
    await nursery.start(desk.run)
    app = build_whole_app(
        web.services,
        HttpSettings(),
        inner=(
            *OwnerEndpoints(web.database, status).endpoints(),
            *alarms_endpoints(lambda: [NEWS], test),
            *copies_endpoints(desk),
        ),
    )
    return attrs.evolve(web, app=app)


def test_the_figures_are_those_of_the_status() -> None:
    now = figures(STATUS)
    assert (now["up"], now["queue"], now["oldest"], now["total"]) == (
        "1 d 1 h",
        1_234,
        "2 h",
        1_239,
    )
    assert (now["sent"], now["received"], now["failed"], now["requests"]) == (40, 7, 3, 99)
    assert now["waiting"] == {
        "for a phone that is away": {"messages": 1_000, "oldest_s": 7_200},
        "for their turn at a phone": {"messages": 234, "oldest_s": 5},
    }
    assert now["messages"] == {"Waiting": 1_234, "Received": 5}
    assert (now["database"], now["free"], now["trouble"]) == ("5 MB", "7 GB", None)


@pytest.mark.parametrize(
    ("storage", "word"), [({"failing": True}, "takes no writes"), ({"in_place": False}, "deleted")]
)
def test_trouble_with_the_disk_is_said(storage: dict[str, Any], word: str) -> None:
    told = figures({**STATUS, "storage": {**STATUS["storage"], **storage}})
    assert word in told["trouble"]


async def test_orgs_and_the_operator_see_their_own_alone(run: Web) -> None:
    owner = await Person.signed_in(run)
    operator = await Person.signed_in(run, OPERATOR_TOKEN, org="")
    for path in ("/operator", "/operator/now", f"/operator/orgs/{ORG}"):
        await owner.look(path, 403)
        await operator.look(path)
    for path in ("/orgs", f"/orgs/{ORG}/remove", "/registration", "/copies", "/alarms/test"):
        answer = await owner.send(f"/operator{path}", {"confirm": ORG, "mode": "open"})
        assert answer.status_code == 403, path
    assert "/console/operator" not in (await owner.look("/sessions")).text
    for path in ("/conversations", "/keys", "/webhooks"):
        await operator.look(path, 403)


async def test_it_shows_the_gateway_as_it_is(run: Web) -> None:
    operator = await Person.signed_in(run, OPERATOR_TOKEN, org="")
    page = (await operator.look("/operator")).text
    for text in ("phonegate 0.1.0, up for 1 d 1 h", "1,234", "7 GB", "phone_away", "2 online"):
        assert text in page, text
    part = (await operator.look("/operator/now")).text
    assert "<html" not in part
    assert 'id="alarms-now"' in part
    assert 'id="figures-now"' in part
    tried = (await operator.send("/operator/alarms/test")).text
    assert "did not arrive" in tried
    assert "<b>ntfy" not in tried


async def test_an_org_is_made_given_another_secret_and_removed(run: Web) -> None:
    operator = await Person.signed_in(run, OPERATOR_TOKEN, org="")

    async def reads(secret: str) -> bool:
        return (await run.call("GET", "/messages/second", secret=secret)).status == 200

    for org, secret, problem in (
        ("x", "", "3 to 50 characters"),
        ("second", "short", "12 to 50 printable"),
        (ORG, "", "already"),
    ):
        refused = await operator.send("/operator/orgs", {"org": org, "secret": secret})
        assert refused.status_code == 400
        assert problem in refused.text
        assert f'value="{org}"' in refused.text
        assert 'value="short"' not in refused.text
    made = await operator.send("/operator/orgs", {"org": "second", "secret": "second-secret-1"})
    assert made.status_code == 200
    assert made.headers["cache-control"] == "no-store"
    assert "second-secret-1" in made.text
    assert await reads("second-secret-1")
    second = (await run.services.accounts.orgs.named("second")).id
    key, _ = await run.services.accounts.keys.add(second, "a <b>key</b>", ["read"])
    rotated = await operator.send("/operator/orgs/second/rotate", {"secret": "second-secret-2"})
    assert key.id in rotated.text
    assert "<b>key" not in rotated.text
    assert not await reads("second-secret-1")
    assert await reads("second-secret-2")
    for typed in ("", ORG, "Second"):
        refused = await operator.send("/operator/orgs/second/remove", {"confirm": typed})
        assert (refused.status_code, "Type second to remove it" in refused.text) == (400, True)
    assert await reads("second-secret-2")
    removed = await operator.send("/operator/orgs/second/remove", {"confirm": "second"})
    assert removed.headers["location"] == "/console/operator"
    assert not await reads("second-secret-2")
    await operator.look("/operator/orgs/second", 404)


async def test_to_rotate_ends_the_sessions_of_the_secret_at_once(run: Web) -> None:
    owner = await Person.signed_in(run)
    operator = await Person.signed_in(run, OPERATOR_TOKEN, org="")
    await owner.look("/sessions")
    await operator.send(f"/operator/orgs/{ORG}/rotate", {"secret": SECRET + "-2"})
    assert (await owner.client.get("/console/sessions")).status_code == 303


async def test_who_may_make_an_org_is_chosen(run: Web) -> None:
    operator = await Person.signed_in(run, OPERATOR_TOKEN, org="")
    answer = await operator.send("/operator/registration", {"mode": "closed"})
    assert answer.status_code == 303
    assert run.services.accounts.orgs.registration.mode == "closed"
    assert 'value="closed" checked' in (await operator.look("/operator")).text
    assert (await operator.send("/operator/registration", {"mode": "x"})).status_code == 400


async def test_a_backup_is_made_and_shown(run: Web, tmp_path: Path) -> None:
    operator = await Person.signed_in(run, OPERATOR_TOKEN, org="")
    for folder, keep in (("backups", ""), (str(tmp_path), "x"), (str(tmp_path), "0")):
        refused = await operator.send("/operator/copies", {"folder": folder, "keep": keep})
        assert refused.status_code == 400, (folder, keep)
        assert f'value="{folder}"' in refused.text
    answer = await operator.send("/operator/copies", {"folder": str(tmp_path), "keep": "3"})
    assert answer.status_code == 303
    while "being made in" in (await operator.look("/operator/now")).text:
        await trio.lowlevel.checkpoint()
    assert f"{tmp_path}/phonegate-" in (await operator.look("/operator")).text
