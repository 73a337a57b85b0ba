"""Which SIM is in which slot. Pure.

Android names a SIM by its `sub_id`, a number that it counts up with each SIM it meets. Termux's
commands send by slot and never show a `sub_id`, but a query can be limited to one. So it is
learned from the first SMS that was sent by a slot, by asking of that row in which half it lies.
"""

from collections.abc import Generator, Mapping, Sequence

import attrs

from phonegate.phone.radios.radio import SimCard, Transmission

HIGHEST_SUB_ID = 1023
"""A phone that has met more SIMs than this is none."""


@attrs.frozen(kw_only=True)
class Sims:
    """The SIMs of a phone, and what is known of them."""

    cards: tuple[SimCard, ...]
    by_slot: bool
    """Whether a SIM is named to Android at each send. Else it takes the one that it prefers."""
    sub_ids: Mapping[int, int] = attrs.field(factory=dict)
    """The `sub_id` of a slot, where it is known."""

    @property
    def several(self) -> bool:
        """Whether it matters by which SIM an SMS came."""
        return len(self.cards) > 1

    def slot_of(self, transmission: Transmission) -> int | None:
        """Returns the slot to send by. Without one Android chooses.

        Raises:
            LookupError: The phone has no such SIM.
        """
        if transmission.sim is not None and transmission.sim_slot is None:
            raise LookupError
        if not self.by_slot:
            return None
        if transmission.sim_slot is not None:
            return transmission.sim_slot
        return self.cards[0].slot

    @property
    def all_known(self) -> bool:
        """Whether each slot has a known `sub_id`."""
        return all(card.slot in self.sub_ids for card in self.cards)

    def rest(self) -> int:
        """Returns the slot of what came in by none of the known `sub_id`s.

        It is right if but one is unknown. Else it is a guess: the first.
        """
        unknown = [card.slot for card in self.cards if card.slot not in self.sub_ids]
        return (unknown or [self.cards[0].slot])[0]

    def sorted_out(
        self, ids: Sequence[int], by_slot: Mapping[int, Sequence[int]]
    ) -> dict[int, int]:
        """Returns the slot of each row, from the rows that each known `sub_id` has."""
        found = {one: slot for slot, ones in by_slot.items() for one in ones}
        return {one: found.get(one, self.rest()) for one in ids}


def search() -> Generator[int, bool, int | None]:
    """Yields numbers N to ask "is the `sub_id` at most N?", is sent the answers, and returns it.

    Returns None if it is above `HIGHEST_SUB_ID`, or -1, which is no SIM. Low numbers, which are
    common, take few questions.
    """
    low, high = -2, 1
    while not (yield high):
        low, high = high, high * 2 + 1
        if high > HIGHEST_SUB_ID:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        if (yield middle):
            high = middle
        else:
            low = middle
    return high if high >= 0 else None
