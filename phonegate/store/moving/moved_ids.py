"""An org's rows under other ids, where a gateway has given theirs already. Pure.

All ids of one space move by one number, so that their order stays. Ids also stand within texts that
the gateway has written. What programs of others keep of them can't be changed.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from phonegate.model.figures import parse_sender, slot_name
from phonegate.model.states import QUEUED, SENDING, UNCERTAIN
from phonegate.store.moving.contents import MESSAGES, PHONES, WEBHOOKS, Part

Shifts = Mapping[str, int]
"""By how much the ids of each space grow. A space that is not named keeps its ids."""

PUSHED_BEFORE: Final = (
    "its phone may have got it under another id, before this org came to this gateway"
)
"""The `error` of a message that can't be pushed again under the id by which its phone knows it."""


def shift_for(given_here: int, given_there: int) -> int:
    """Returns by how much ids move: above all that either gateway has ever given."""
    return max(given_here, given_there)


def moved(part: Part, columns: Sequence[str], rows: list[list[Any]], shifts: Shifts) -> None:
    """Gives rows of a table their ids on this gateway. Changes them in place.

    Args:
        part: What the table is.
        columns: What the rows hold.
        rows: The rows.
        shifts: By how much ids grow.
    """
    if not any(shifts.values()):
        return
    places = {name: place for place, name in enumerate(columns)}
    rewrite = _TEXTS.get(part.table)
    if rewrite is not None:
        # Before the ids themselves: these say what a text is about.
        for row in rows:
            rewrite(row, places, shifts)
    for column, space in part.ids.items():
        place, by = places.get(column), shifts.get(space, 0)
        if place is None or not by:
            continue
        for row in rows:
            if row[place]:
                row[place] += by


def _message(row: list[Any], places: Mapping[str, int], shifts: Shifts) -> None:
    by = shifts.get(MESSAGES, 0)
    if not by:
        return
    callback = row[places["status_callback"]]
    if callback is not None:
        kept = json.loads(callback)
        if kept.get("known_as"):
            kept["known_as"] += by
            row[places["status_callback"]] = json.dumps(kept)
    # A phone that has seen a push knows it by its id. To push the text under another would send it
    # twice.
    status = places["status"]
    is_pushed = row[places["pushed_at"]] is not None and row[places["assistant"]] is None
    if row[status] in {QUEUED, SENDING} and is_pushed:
        row[status] = UNCERTAIN
        row[places["error"]] = PUSHED_BEFORE


def _event(row: list[Any], places: Mapping[str, int], shifts: Shifts) -> None:
    place = places["data"]
    messages, phones = shifts.get(MESSAGES, 0), shifts.get(PHONES, 0)
    data = json.loads(row[place])
    if row[places["message"]] is not None:
        data["id"] += messages
        if data.get("phone"):
            data["phone"] += phones
    elif row[places["phone"]] is not None:
        data["id"] += phones
    elif row[places["type"]].startswith("webhook."):
        data["id"] += shifts.get(WEBHOOKS, 0)
    row[place] = json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def _delivery(row: list[Any], places: Mapping[str, int], shifts: Shifts) -> None:
    kind, _, number = row[places["subject"]].partition("/")
    by = shifts.get({"message": MESSAGES, "phone": PHONES}.get(kind, ""), 0)
    if by and number.isdecimal():
        row[places["subject"]] = f"{kind}/{int(number) + by}"


def _figure(row: list[Any], places: Mapping[str, int], shifts: Shifts) -> None:
    # The name of a SIM whose number is not known is made of its phone's id.
    found = parse_sender(row[places["sender"]])
    if found is not None:
        row[places["sender"]] = slot_name(found[0] + shifts.get(PHONES, 0), found[1])


_TEXTS: Final[Mapping[str, Callable[[list[Any], Mapping[str, int], Shifts], None]]] = (
    MappingProxyType(
        {"messages": _message, "events": _event, "deliveries": _delivery, "figures": _figure}
    )
)
"""What writes the ids anew that stand within texts of a table."""
