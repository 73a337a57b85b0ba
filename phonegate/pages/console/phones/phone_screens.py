"""The screens of phones: all of them, and each with its health, its SIMs and what waits for it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import attrs
from quart import Response

from phonegate.api.convert import id_in_path
from phonegate.api.phones_types import PhoneJson, phone_json
from phonegate.api.presenters import message_json
from phonegate.domain.managed_phones import ManagedPhones
from phonegate.domain.message_access import KnownSims
from phonegate.domain.phone_course import PERIODS, Period
from phonegate.model.messages import Message
from phonegate.model.refusals import NotFound, Refused
from phonegate.pages.console.conversations.conversation_path import conversation
from phonegate.pages.console.figures.plots import moment_words
from phonegate.pages.console.form_fields import field_problems
from phonegate.pages.console.phones import phone_words
from phonegate.pages.console.question import question
from phonegate.pages.console.visit import Route, Visit
from phonegate.pages.console.whole_numbers import whole
from phonegate.pages.console.zones import zone_of

PER_PAGE: Final = 48
"""Phones of a page. An org may have thousands."""

SHOWN: Final = ("all", "online", "offline", "attention")
"""Which phones to list."""


@attrs.frozen(kw_only=True)
class PhonePage:
    """A page of the list."""

    phones: Sequence[PhoneJson]
    total: int
    """Phones of the org."""
    online: int
    found: int
    """Those that the filter lets through."""
    number: int
    """Of the page, from 1 on."""
    pages: int
    unassigned: int


async def listing(visit: Visit) -> Response:
    """Lists the phones of the org."""
    asked = visit.query
    shown = asked.get("show", "all")
    words = asked.get("q", "").strip()
    page = whole(asked.get("page")) or 1

    # As `list_phones` shows them, but only those of this page are made.
    def show(found: ManagedPhones) -> PhonePage:
        return page_of(found, shown=shown, words=words, number=page)

    listed = await visit.services.phones.show(visit.principal.org, show)
    context: dict[str, Any] = {"listed": listed, "shown": shown, "words": words, **_WORDS}
    if visit.by_script:
        return await visit.part("console/parts/phone_list.html", **context)
    return await visit.page("console/phones.html", **context)


def page_of(found: ManagedPhones, *, shown: str, words: str, number: int) -> PhonePage:
    """Returns a page of the phones that a filter lets through. Pure."""
    wanted = [one for one in found.phones if _is_wanted(one, shown, words.casefold())]
    pages = max(1, -(-len(wanted) // PER_PAGE))
    number = min(max(1, number), pages)
    of_page = wanted[(number - 1) * PER_PAGE : number * PER_PAGE]
    return PhonePage(
        phones=[phone_json(one) for one in of_page],
        total=len(found.phones),
        online=sum(one.is_online for one in found.phones),
        found=len(wanted),
        number=number,
        pages=pages,
        unassigned=found.unassigned,
    )


async def one(visit: Visit) -> Response:
    """Shows a phone."""
    return await _shown(visit)


async def rename(visit: Visit) -> Response:
    """Gives a phone a name."""
    name = (await visit.form()).get("name", "").strip()
    id_ = visit.path["id"]
    try:
        await visit.call("change_phone", path={"id": id_}, body={"name": name})
    except Refused as refused:
        return await _again(visit, refused, "name", name)
    said = f"The phone is called {name} from now on." if name else "The phone has its own name."
    return visit.go("/phones", id_, said=said)


async def give_number(visit: Visit) -> Response:
    """Gives a SIM the number that its phone does not know."""
    number = (await visit.form()).get("number", "").strip()
    id_, slot = visit.path["id"], whole(visit.path["slot"])
    if slot is None:
        raise NotFound("There is no such SIM.")
    sims = [{"slot": slot, "number": number or None}]
    try:
        await visit.call("change_phone", path={"id": id_}, body={"sims": sims})
    except Refused as refused:
        return await _again(visit, refused, f"slot-{slot}", number)
    said = f"Slot {slot} has the number {number} from now on." if number else "The number is gone."
    return visit.go("/phones", id_, said=said)


async def ask_to_forget(visit: Visit) -> Response:
    """Asks whether a phone is to be forgotten, and says what comes of it."""
    phone = await _phone(visit)
    at = visit.url("/phones", phone.id)
    return await question(
        visit,
        f"Forget {phone.name or phone.model or 'this phone'}?",
        sentences=forgetting_words(phone),
        action=f"{at}/forget",
        word="Forget the phone",
        back=at,
        stay="Keep it",
    )


def forgetting_words(phone: PhoneJson) -> Sequence[str]:
    """Returns what it means to forget a phone. Pure."""
    said = ["It is connected: its connection is closed."] if phone.online else []
    if phone.waiting:
        wait = "message waits" if phone.waiting == 1 else "messages wait"
        said.append(
            f"{phone.waiting} {wait} for it. Those that only it can send are cancelled. Those that "
            "it has had without a word may have been sent, and are marked so."
        )
    else:
        said.append("No message waits for it.")
    return (
        *said,
        "Its messages of the past stay. Its health over time is deleted.",
        "A SIM that goes on in another phone is best put there first: then what waits for its "
        "number goes along.",
        "An API key that was good for this phone alone is revoked. By another credential it may "
        "come back as a new phone.",
    )


async def forget(visit: Visit) -> Response:
    """Forgets a phone."""
    phone = await _phone(visit)
    done = await visit.call("forget_phone", path={"id": visit.path["id"]})
    return visit.go("/phones", said=forgotten_words(phone.name, done))


def forgotten_words(name: str | None, done: Mapping[str, Any]) -> str:
    """Returns what became of a phone that was forgotten. Pure."""
    said = [f"{name or 'The phone'} is forgotten."]
    if done["cancelled"]:
        count = done["cancelled"]
        said.append(
            f"{count} waiting {'message was' if count == 1 else 'messages were'} cancelled."
        )
    if done["uncertain"]:
        said.append(f"{done['uncertain']} that it had may have been sent.")
    if done["revoked_key"] is None:
        said.append("It may come back as a new phone, by a key or secret that is good still.")
    else:
        said.append("Its API key was revoked.")
    return " ".join(said)


async def _shown(visit: Visit, *, status: int = 200, **more: Any) -> Response:
    phone = await _phone(visit)
    asked = visit.query.get("period", "24h")
    period: Period = asked if asked in PERIODS else "24h"
    waiting = await visit.services.phone_waiting.of_phone(
        visit.principal, phone.id, _show_waiting(visit)
    )
    context: dict[str, Any] = {
        "phone": phone,
        "waiting": waiting,
        "conversation_url": lambda address: visit.url(conversation(address)),
        "period": period,
        "given": {},
        "problems": {},
        **_WORDS,
        **more,
    }
    if visit.by_script:
        return await visit.part("console/parts/phone_state.html", **context)
    course = await visit.services.phone_history.course(visit.principal, phone.id, period)
    zone = zone_of(visit)
    return await visit.page(
        "console/phone.html",
        status=status,
        course=course,
        zone=zone.key,
        plots=phone_words.plots(course, zone=zone),
        band=phone_words.band(course, zone=zone),
        begin=moment_words(course.begin, zone),
        absences=phone_words.absences(course, zone=zone),
        **context,
    )


async def _again(visit: Visit, refused: Refused, place: str, given: str) -> Response:
    """Shows a phone with what was wrong with what was sent."""
    if isinstance(refused, NotFound):
        raise refused
    problems = field_problems(refused)
    text = problems[0].problem if problems else refused.detail
    return await _shown(visit, status=400, given={place: given}, problems={place: text})


async def _phone(visit: Visit) -> PhoneJson:
    found = await visit.services.phones.one(visit.principal.org, id_in_path(visit.path["id"]))
    return phone_json(found)


def _show_waiting(
    visit: Visit,
) -> Callable[[Sequence[Message], KnownSims], list[dict[str, Any]]]:
    online = visit.services.switchboard.online(visit.principal.org)

    def show(messages: Sequence[Message], known: KnownSims) -> list[dict[str, Any]]:
        return [attrs.asdict(message_json(one, online, known, media="")) for one in messages]

    return show


def _is_wanted(phone: Any, shown: str, words: str) -> bool:
    if shown == "online" and not phone.is_online:
        return False
    if shown == "offline" and phone.is_online:
        return False
    if shown == "attention" and not (phone.hint or (phone.waiting and not phone.is_online)):
        return False
    names = (phone.name, phone.row.model, phone.row.device_id, *(sim.number for sim in phone.sims))
    return not words or any(words in name.casefold() for name in names if name)


_WORDS: Final[dict[str, Any]] = {
    "KINDS": phone_words.KIND_WORDS,
    "PERIODS": phone_words.PERIOD_WORDS,
    "battery_words": phone_words.battery_words,
    "signal_words": phone_words.signal_words,
    "is_low": phone_words.is_low,
    "share_words": phone_words.share_words,
}

ROUTES: Final = (
    Route(path="/phones", scope="read", view=listing),
    Route(path="/phones/<id>", scope="read", view=one),
    Route(path="/phones/<id>/name", methods=("POST",), scope="manage", view=rename),
    Route(path="/phones/<id>/sims/<slot>", methods=("POST",), scope="manage", view=give_number),
    Route(path="/phones/<id>/forget", scope="manage", view=ask_to_forget),
    Route(path="/phones/<id>/forget", methods=("POST",), scope="manage", view=forget),
)
