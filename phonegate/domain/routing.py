"""Chooses the phone and SIM of an outbound message. Pure: the online phones are passed in."""

import re
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Final

import attrs

from phonegate.domain.dispatch import OnlinePhone
from phonegate.model.bounds import SLOT_DIGITS
from phonegate.model.phones import ANY_SIM, Sim, number_form
from phonegate.model.refusals import BadInput, FieldProblem, UnknownSim

_BETWEEN: Final = r"[ ()./\u00a0-]*"
"""The signs that people and Android put between digits."""
NUMBER_PATTERN: Final = (
    rf"{_BETWEEN}(\+{_BETWEEN}[1-9]|[0-9])({_BETWEEN}[0-9]){{{SLOT_DIGITS},19}}{_BETWEEN}"
)
"""A SIM's number: Android reports what the SIM holds, at most 20 digits (TS 31.102 section
4.2.26)."""
_NUMBER: Final = re.compile(NUMBER_PATTERN)

_PROBLEM = 'must be a SIM\'s number, such as "+15551112222", or a slot index from 0 to 99'


@attrs.frozen(kw_only=True)
class Route:
    """The phone and SIM of a message.

    `phone` is the online phone to push it to, if any. `stored_phone` and `sim_selector` are what
    the stored message asks for while it waits: `stored_phone` is set only where a slot index means
    the slot of one certain phone. `sim` is the SIM that sends it, as far as that is known.
    """

    phone: int | None
    stored_phone: int | None
    sim_selector: str
    sim: Sim | None


def parse_sim_selector(sim: int | str | None) -> str:
    """Returns the stored form of a caller's `sim`: `ANY_SIM`, a number, or a slot index as digits.

    A number may be written as in E.164 or as its phone reported it, see `number_form`.

    Raises:
        BadInput: It is neither. The problem's field is `sim`.
    """
    if sim is None:
        return ANY_SIM
    if isinstance(sim, str):
        if sim.isascii() and sim.isdecimal() and len(sim) <= SLOT_DIGITS:
            return str(int(sim))
        if _NUMBER.fullmatch(sim):
            return number_form(sim)
    elif not isinstance(sim, bool) and 0 <= sim < 10**SLOT_DIGITS:
        return str(sim)
    raise BadInput(f"sim {_PROBLEM}.", [FieldProblem("sim", _PROBLEM)])


def is_slot(sim_selector: str) -> bool:
    """Tells whether a parsed SIM selector is a slot index."""
    return 1 <= len(sim_selector) <= SLOT_DIGITS


def choose(sim_selector: str, online: Sequence[OnlinePhone], known: Sequence[Sim]) -> Route:
    """Routes a message by its parsed SIM selector.

    Args:
        sim_selector: As `parse_sim_selector` returns it.
        online: The org's connected phones, earliest connection first.
        known: Every SIM that a phone of the org has reported, ordered by phone and slot. It may
            be left empty when the selected SIM is online.

    Raises:
        UnknownSim: The selected SIM is not one of the org's, which has others. In an org without
            any, the message waits for a phone with that SIM.
    """
    if sim_selector == ANY_SIM:
        first = next(iter(online), None)
        return Route(
            phone=None if first is None else first.phone,
            stored_phone=None,
            sim_selector=sim_selector,
            sim=None if first is None else min(first.sims, key=_slot, default=None),
        )
    if is_slot(sim_selector):
        return _by_slot(sim_selector, online, known)
    return _by_number(sim_selector, online, known)


def by_phone(phone: OnlinePhone) -> Route:
    """Routes a message to a phone that is online, by its first SIM.

    A phone that has reported no SIM sends it if it can do so at once; what has to wait is sent by
    the org's first phone.
    """
    sim = min(phone.sims, key=_slot, default=None)
    if sim is None:
        return Route(phone=phone.phone, stored_phone=None, sim_selector=ANY_SIM, sim=None)
    return Route(phone=phone.phone, stored_phone=phone.phone, sim_selector=str(sim.slot), sim=sim)


def _by_number(sim_selector: str, online: Sequence[OnlinePhone], known: Sequence[Sim]) -> Route:
    for phone in online:
        for sim in phone.sims:
            if sim.form == sim_selector:
                return Route(
                    phone=phone.phone, stored_phone=None, sim_selector=sim_selector, sim=sim
                )
    holder = next((sim for sim in known if sim.form == sim_selector), None)
    if holder is None:
        _refuse_beside_others(sim_selector, online, known)
    return Route(phone=None, stored_phone=None, sim_selector=sim_selector, sim=holder)


def _by_slot(sim_selector: str, online: Sequence[OnlinePhone], known: Sequence[Sim]) -> Route:
    slot = int(sim_selector)
    for phone in online:
        for sim in phone.sims:
            if sim.slot == slot:
                return Route(
                    phone=phone.phone, stored_phone=phone.phone, sim_selector=sim_selector, sim=sim
                )
    sim_known = next((sim for sim in known if sim.slot == slot), None)
    if sim_known is None:
        _refuse_beside_others(sim_selector, online, known)
        return Route(phone=None, stored_phone=None, sim_selector=sim_selector, sim=None)
    return Route(phone=None, stored_phone=sim_known.phone, sim_selector=sim_selector, sim=sim_known)


def _refuse_beside_others(
    sim_selector: str, online: Sequence[OnlinePhone], known: Sequence[Sim]
) -> None:
    others = tuple(dict.fromkeys(_described(online, known)))
    if others:
        raise UnknownSim(sim_selector, others)


def _described(online: Sequence[OnlinePhone], known: Sequence[Sim]) -> Iterator[str]:
    for sim in chain(known, *(phone.sims for phone in online)):
        yield f"slot {sim.slot}" if sim.number is None else f"{sim.number} (slot {sim.slot})"


def _slot(sim: Sim) -> int:
    return sim.slot
