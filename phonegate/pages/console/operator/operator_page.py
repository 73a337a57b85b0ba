"""The operator's page: the gateway as it is now, its orgs, alarms, copies and registration."""

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any, Final

import attrs
from quart import Response

from phonegate.domain.registration import MODES
from phonegate.model.principal import OWNER_SCOPE
from phonegate.model.refusals import FieldProblem, NotFound, Refused
from phonegate.model.storage_errors import StoreError
from phonegate.model.times import HOUR_MS
from phonegate.pages.console.operator.growth import SHOWN_HOURS, Growth, growth
from phonegate.pages.console.visit import Route, Visit
from phonegate.pages.console.whole_numbers import whole
from phonegate.pages.console.words import STATE_WORDS
from phonegate.pages.console.zones import zone_of
from phonegate.quantities import duration, size

MODE_WORDS: Final[Mapping[str, str]] = {
    "local": "Phones and apps of this machine and the private networks around it",
    "open": "All who reach the gateway",
    "closed": "No one: you alone make orgs",
}
"""Who may make an org by a first call, by mode."""

WAITS_FOR: Final[Mapping[str, str]] = {
    "phone": "for a phone that is away",
    "turn": "for their turn at a phone",
    "carrier": "for their turn at a carrier",
    "time": "for their time",
    "approval": "for approval by a person",
    "result": "for the result of a push",
}


_FIELDS: Final[Mapping[str, str]] = {"org_id": "org", "secret_key": "secret"}
"""The fields of forms that a refusal calls by the names that they have in the API."""


@attrs.frozen(kw_only=True)
class RefusedForm:
    """A form that was refused: what was typed, and what is wrong with it."""

    form: str
    """Which form of the page."""
    values: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    problem: str
    problems: Mapping[str, str] = attrs.field(factory=dict)
    """By field."""

    @classmethod
    def of(cls, form: str, refused: Refused | StoreError, **values: str) -> "RefusedForm":
        """Returns a form as it comes back."""
        found: tuple[FieldProblem, ...] = tuple(getattr(refused, "problems", ()))
        detail = refused.detail if isinstance(refused, Refused) else str(refused)
        return cls(
            form=form,
            values=values,
            problem=detail,
            problems={_FIELDS.get(one.field, one.field): one.problem for one in found},
        )


def figures(status: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what the page shows of a status, in the order in which it does. Pure."""
    lately, storage = status["lately"], status["storage"]
    waiting = {
        WAITS_FOR[reason]: one for reason, one in status["waiting"].items() if one["messages"]
    }
    oldest = [one["oldest_s"] for one in waiting.values() if one["oldest_s"] is not None]
    return {
        "version": status["version"],
        "up": duration(status["uptime_s"]),
        "phones_online": status["phones_online"],
        "phones": status["phones"],
        "connections": status["connections"],
        "followers": status["event_followers"],
        "waiting": waiting,
        "queue": sum(one["messages"] for one in waiting.values()),
        "oldest": duration(max(oldest)) if oldest else None,
        "sent": lately["sent"],
        "received": lately["received"],
        "delivered": lately["delivered"],
        "failed": lately["failed"] + lately["expired"],
        "requests": status["requests"]["lately"],
        "lag_ms": round(status["lag_s"] * 1000),
        "database": size(storage["database_bytes"]),
        "log": size(storage["log_bytes"]),
        "free": size(storage["free_bytes"]),
        "trouble": _trouble(storage),
        "messages": {
            STATE_WORDS.get(name, name): count
            for name, count in status["messages"].items()
            if count
        },
        "total": sum(status["messages"].values()),
    }


def _trouble(storage: Mapping[str, Any]) -> str | None:
    if not storage["in_place"]:
        return "The file of the database was deleted, moved or replaced. Put it back."
    if storage["failing"]:
        return "The disk takes no writes: nothing can be sent or received."
    return None


async def show(visit: Visit) -> Response:
    """Shows the page."""
    return await _page(visit)


async def show_now(visit: Visit) -> Response:
    """Returns the figures of this moment, for a script."""
    return await visit.part("console/operator/renewed.html", **await _now(visit))


async def make_org(visit: Visit) -> Response:
    """Makes an org. Its secret is shown this once."""
    form = await visit.form()
    org, secret = form.get("org", "").strip(), form.get("secret", "").strip()
    body = {"org": org, **({"secret": secret} if secret else {})}
    try:
        made = await visit.call("add_org", body=body)
    except Refused as refused:
        return await _page(visit, RefusedForm.of("org", refused, org=org))
    return await visit.page("console/operator/secret.html", made=made, rotated=False)


async def show_org(visit: Visit) -> Response:
    """Shows what can be done about an org."""
    return await _org_page(visit)


async def rotate_org(visit: Visit) -> Response:
    """Gives an org another secret, which is shown this once, with what goes on without it."""
    secret = (await visit.form()).get("secret", "").strip()
    body = {"secret": secret} if secret else {}
    path = {"org": visit.path["org"]}
    try:
        made = await visit.call("rotate_org", path=path, body=body)
    except Refused as refused:
        return await _org_page(visit, RefusedForm.of("rotate", refused))
    return await visit.page("console/operator/secret.html", made=made, rotated=True)


async def remove_org(visit: Visit) -> Response:
    """Removes an org, where its name was typed."""
    name = visit.path["org"]
    typed = (await visit.form()).get("confirm", "").strip()
    if typed != name:
        problem = f"Type {name} to remove it."
        filled = RefusedForm(form="remove", problem=problem, problems={"confirm": problem})
        return await _org_page(visit, filled)
    await visit.call("remove_org", path={"org": name})
    return visit.go("/operator", said=f"{name} is removed, with all that it had.")


async def choose_registration(visit: Visit) -> Response:
    """Changes who may make an org by a first call."""
    mode = (await visit.form()).get("mode", "")
    try:
        await visit.call("set_registration", body={"mode": mode})
    except Refused as refused:
        return await _page(visit, RefusedForm.of("registration", refused, mode=mode))
    return visit.go("/operator", said=f"Who may make an org from now on: {MODE_WORDS[mode]}.")


async def try_alarms(visit: Visit) -> Response:
    """Sends a test notice to every target of alarms, and shows what became of each."""
    return await _page(visit, trials=(await visit.call("try_targets"))["targets"])


async def order_copy(visit: Visit) -> Response:
    """Begins a copy of the database."""
    form = await visit.form()
    folder, keep = form.get("folder", "").strip(), form.get("keep", "").strip()
    body: dict[str, Any] = {"folder": folder}
    if keep:
        number = whole(keep)
        body["keep"] = keep if number is None else number
    try:
        await visit.call("order_copy", body=body)
    except Refused as refused:
        return await _page(visit, RefusedForm.of("copy", refused, folder=folder, keep=keep))
    return visit.go("/operator", said="A copy is being made. This page tells when it is complete.")


async def _page(visit: Visit, filled: RefusedForm | None = None, *, trials: Any = None) -> Response:
    orgs = (await visit.call("list_orgs"))["orgs"]
    return await visit.page(
        "console/operator/operator.html",
        status=200 if filled is None else 400,
        orgs=orgs,
        registration=await visit.call("registration"),
        unsigned=(await visit.call("list_unsigned"))["assistants"],
        modes=[(mode, MODE_WORDS[mode]) for mode in MODES],
        filled=filled,
        trials=trials,
        growth=await _growth(visit),
        zone=zone_of(visit).key,
        **await _now(visit),
    )


async def _growth(visit: Visit) -> Growth | None:
    now = visit.services.now_ms()
    hours = await visit.services.figures.gateway(now - SHOWN_HOURS * HOUR_MS, now + HOUR_MS)
    return growth(hours, zone_of(visit))


async def _now(visit: Visit) -> dict[str, Any]:
    copies = await visit.call("list_copies")
    shown = [{**one, "size": size(one["bytes"])} for one in copies["copies"]]
    return {
        "now": figures(await visit.call("status", query={"phones": True})),
        "alarms": (await visit.call("list_alarms"))["alarms"],
        "copies": {**copies, "copies": shown, "folder": _folder(shown)},
        "duration": duration,
    }


def _folder(copies: Sequence[Mapping[str, Any]]) -> str:
    """Returns where the last copy was put, which is where the next one goes as a rule."""
    return str(PurePath(copies[0]["file"]).parent) if copies else ""


async def _org_page(visit: Visit, filled: RefusedForm | None = None) -> Response:
    name = visit.path["org"]
    found = [one for one in (await visit.call("list_orgs"))["orgs"] if one["org"] == name]
    if not found:
        raise NotFound(f"There is no org named {name}.")
    return await visit.page(
        "console/operator/org.html",
        status=200 if filled is None else 400,
        org=found[0],
        filled=filled,
    )


def _route(path: str, view: Any, *methods: str) -> Route:
    return Route(path=f"/operator{path}", methods=methods or ("GET",), scope=OWNER_SCOPE, view=view)


ROUTES: Final[tuple[Route, ...]] = (
    _route("", show),
    _route("/now", show_now),
    _route("/orgs", make_org, "POST"),
    _route("/orgs/<org>", show_org),
    _route("/orgs/<org>/rotate", rotate_org, "POST"),
    _route("/orgs/<org>/remove", remove_org, "POST"),
    _route("/registration", choose_registration, "POST"),
    _route("/alarms/test", try_alarms, "POST"),
    _route("/copies", order_copy, "POST"),
)
