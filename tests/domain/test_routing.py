import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phonegate.domain.dispatch import OnlinePhone
from phonegate.domain.routing import Route, by_phone, choose, is_slot, parse_sim_selector
from phonegate.model.phones import ANY_SIM, Sim
from phonegate.model.refusals import BadInput, UnknownSim

A, B, C = "+15551110000", "+15552220000", "+15553330000"


def sim(slot: int, number: str | None, phone: int) -> Sim:
    return Sim(slot=slot, number=number, carrier=None, phone=phone)


def phone(key: int, *sims: Sim) -> OnlinePhone:
    return OnlinePhone(phone=key, device_id=None, name=None, sims=sims)


@pytest.mark.parametrize(
    ("given_", "sim_selector"),
    [
        (None, ANY_SIM),
        (0, "0"),
        (1, "1"),
        (99, "99"),
        ("0", "0"),
        ("00", "0"),
        ("07", "7"),
        ("12", "12"),
        ("+15551112222", "+15551112222"),
        ("+1555123456", "+1555123456"),
        ("15551112222", "+15551112222"),
        ("+1 (555) 111-2222", "+15551112222"),
        ("0015551112222", "+15551112222"),
        ("0170 1234567", "01701234567"),
        ("112", "+112"),
    ],
)
def test_selectors(given_: int | str | None, sim_selector: str) -> None:
    assert parse_sim_selector(given_) == sim_selector


@pytest.mark.parametrize(
    "given_",
    [
        *(True, False, -1, 100, 15551112222, 2**63),
        *(
            "",
            " ",
            "x",
            "+",
            "-1",
            "1.0",
            "+1 x 555",
            " 1",
            "1\n",
            "\u0661",
            "²",
            "+0123",
            "1" * 21,
        ),
    ],
)
def test_what_is_no_selector(given_: int | str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_sim_selector(given_)
    assert [problem.field for problem in caught.value.problems] == ["sim"]


@settings(deadline=None)
@given(st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=25)))
def test_a_parsed_selector_parses_to_itself(given_: int | str | None) -> None:
    try:
        sim_selector = parse_sim_selector(given_)
    except BadInput:
        return
    if sim_selector != ANY_SIM:
        assert parse_sim_selector(sim_selector) == sim_selector
        assert is_slot(sim_selector) == (sim_selector.isdecimal() and len(sim_selector) <= 2)


class TestAnySim:
    def test_goes_to_the_phone_that_connected_first_by_its_lowest_slot(self) -> None:
        online = [phone(9, sim(1, A, 9), sim(0, B, 9)), phone(2, sim(0, C, 2))]
        assert choose(ANY_SIM, online, []) == Route(
            phone=9, stored_phone=None, sim_selector=ANY_SIM, sim=sim(0, B, 9)
        )

    def test_goes_to_a_phone_that_has_not_told_its_sims(self) -> None:
        assert choose(ANY_SIM, [phone(9), phone(2, sim(0, C, 2))], []) == Route(
            phone=9, stored_phone=None, sim_selector=ANY_SIM, sim=None
        )

    @pytest.mark.parametrize("known", [[], [sim(0, A, 1)]])
    def test_waits_for_any_phone_when_none_is_online(self, known: list[Sim]) -> None:
        assert choose(ANY_SIM, [], known) == Route(
            phone=None, stored_phone=None, sim_selector=ANY_SIM, sim=None
        )


class TestNumber:
    def test_goes_to_the_online_phone_that_holds_it(self) -> None:
        online = [phone(1, sim(0, A, 1)), phone(2, sim(0, B, 2), sim(1, C, 2))]
        assert choose(C, online, []) == Route(
            phone=2, stored_phone=None, sim_selector=C, sim=sim(1, C, 2)
        )

    def test_waits_for_whichever_phone_brings_it_when_its_phone_is_away(self) -> None:
        known = [sim(0, A, 1), sim(0, B, 2)]
        assert choose(B, [phone(1, sim(0, A, 1))], known) == Route(
            phone=None, stored_phone=None, sim_selector=B, sim=sim(0, B, 2)
        )

    def test_waits_in_an_org_without_any_sim(self) -> None:
        route = Route(phone=None, stored_phone=None, sim_selector=A, sim=None)
        assert choose(A, [], []) == route
        assert choose(A, [phone(1)], []) == route

    def test_is_refused_beside_sims_that_are_known(self) -> None:
        known = [sim(0, A, 1), sim(1, None, 1)]
        with pytest.raises(UnknownSim) as caught:
            choose(C, [phone(2, sim(0, B, 2)), phone(1, sim(0, A, 1))], known)
        assert caught.value.sim_selector == C
        assert caught.value.known == (f"{A} (slot 0)", "slot 1", f"{B} (slot 0)")
        assert C in caught.value.detail
        assert A in caught.value.detail

    def test_is_refused_beside_sims_that_are_only_online(self) -> None:
        with pytest.raises(UnknownSim):
            choose(C, [phone(2, sim(0, B, 2))], [])

    @pytest.mark.parametrize("written", [A, A[1:], "+1 (555) 111-0000", "00" + A[1:]])
    def test_is_the_same_however_it_is_written(self, written: str) -> None:
        held = sim(0, written, 1)
        assert choose(A, [phone(1, held)], []).sim == held
        assert choose(A, [], [held]).sim == held
        assert choose(parse_sim_selector(written), [phone(1, sim(0, A, 1))], []).phone == 1


class TestSlot:
    def test_goes_to_the_first_online_phone_that_has_it(self) -> None:
        online = [phone(3, sim(0, A, 3)), phone(2, sim(1, B, 2)), phone(1, sim(1, C, 1))]
        assert choose("1", online, []) == Route(
            phone=2, stored_phone=2, sim_selector="1", sim=sim(1, B, 2)
        )

    def test_prefers_an_online_phone_to_a_known_one(self) -> None:
        online = [phone(3, sim(0, A, 3))]
        assert choose("0", online, [sim(0, B, 1), sim(0, A, 3)]).phone == 3

    def test_waits_for_the_first_known_phone_that_has_it(self) -> None:
        known = [sim(0, A, 1), sim(1, B, 2), sim(1, C, 3)]
        assert choose("1", [phone(1, sim(0, A, 1))], known) == Route(
            phone=None, stored_phone=2, sim_selector="1", sim=sim(1, B, 2)
        )

    def test_waits_for_any_phone_in_an_org_without_any_sim(self) -> None:
        route = Route(phone=None, stored_phone=None, sim_selector="1", sim=None)
        assert choose("1", [], []) == route
        assert choose("1", [phone(1)], []) == route

    def test_is_refused_beside_sims_that_are_known(self) -> None:
        with pytest.raises(UnknownSim):
            choose("1", [], [sim(0, A, 1)])
        with pytest.raises(UnknownSim):
            choose("1", [phone(1, sim(0, A, 1))], [])


PHONES = st.lists(st.integers(1, 5), unique=True, max_size=4)


@st.composite
def orgs(draw: st.DrawFn) -> tuple[list[OnlinePhone], list[Sim]]:
    online = []
    for key in draw(PHONES):
        slots = draw(st.lists(st.integers(0, 3), unique=True, max_size=3))
        online.append(
            phone(key, *(sim(slot, draw(st.sampled_from([A, B, None])), key) for slot in slots))
        )
    known = [
        sim(slot, draw(st.sampled_from([A, B, None])), key)
        for key in sorted(draw(PHONES))
        for slot in sorted(draw(st.lists(st.integers(0, 3), unique=True, max_size=3)))
    ]
    return online, known


@settings(deadline=None)
@given(orgs(), st.sampled_from([ANY_SIM, A, B, C, "0", "3", "7"]))
def test_every_route_keeps_the_selector(
    org: tuple[list[OnlinePhone], list[Sim]], sim_selector: str
) -> None:
    online, known = org
    live = {(p.phone, s) for p in online for s in p.sims}
    matches = {
        s for s in [*known, *(s for _, s in live)] if sim_selector in (s.number, str(s.slot))
    }
    try:
        route = choose(sim_selector, online, known)
    except UnknownSim:
        assert not matches
        assert known or live
        return
    assert route.sim_selector == sim_selector
    if route.phone is not None and route.sim is not None:
        assert (route.phone, route.sim) in live
    if sim_selector == ANY_SIM:
        assert (route.phone is None) == (not online)
        assert route.stored_phone is None
        return
    assert (route.sim is None) == (not known and not live)
    assert route.sim is None or route.sim in matches
    assert (route.phone is not None) == any(s in matches for _, s in live)
    if is_slot(sim_selector) and route.sim is not None:
        assert route.stored_phone == route.sim.phone
    else:
        assert route.stored_phone is None


def test_a_phone_sends_by_its_first_sim_and_by_no_other_phone() -> None:
    lower, upper = sim(0, None, 7), sim(1, A, 7)
    assert by_phone(phone(7, upper, lower)) == Route(
        phone=7, stored_phone=7, sim_selector="0", sim=lower
    )
    assert by_phone(phone(7)) == Route(phone=7, stored_phone=None, sim_selector=ANY_SIM, sim=None)
