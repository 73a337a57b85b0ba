"""Routes that are remembered while the same phones are online."""

import pytest

from phonegate.domain.dispatch import OnlinePhone
from phonegate.domain.rosters import ROSTERS, Rosters
from phonegate.domain.routing import choose
from phonegate.model.phones import Sim
from phonegate.model.refusals import UnknownSim

ONLINE = (
    OnlinePhone(
        phone=1, device_id="d", name=None, sims=(Sim(slot=0, number="+1 555"), Sim(slot=1))
    ),
    OnlinePhone(phone=2, device_id="e", name=None, sims=(Sim(slot=3),)),
)


@pytest.mark.parametrize("sim_selector", ["", "0", "1", "3", "+1555"])
def test_a_sim_that_is_online_is_routed_as_ever_and_remembered(sim_selector: str) -> None:
    roster = Rosters().of(1, ONLINE)
    route = roster.route(sim_selector)
    assert route == choose(sim_selector, ONLINE, ())
    assert roster.route(sim_selector) is route


def test_of_an_absent_sim_the_store_must_tell() -> None:
    roster = Rosters().of(1, ONLINE)
    assert roster.route("7") is None
    assert roster.beyond("7", [Sim(slot=7, phone=9)]).stored_phone == 9
    assert roster.route("7") is None
    with pytest.raises(UnknownSim):
        roster.beyond("7", ())


def test_without_a_phone_a_message_for_any_sim_waits() -> None:
    route = Rosters().of(1, ()).route("")
    assert route is not None
    assert (route.phone, route.sim) == (None, None)


def test_a_roster_lasts_until_its_phones_change_and_few_are_kept() -> None:
    rosters = Rosters()
    roster = rosters.of(0, ONLINE)
    assert rosters.of(0, ONLINE) is roster
    assert rosters.of(0, ONLINE[:1]) is not roster
    again = rosters.of(0, ONLINE)
    for org in range(1, ROSTERS):
        rosters.of(org, ONLINE)
    assert rosters.of(0, ONLINE) is again
    rosters.of(ROSTERS, ONLINE)
    assert rosters.of(0, ONLINE) is not again
