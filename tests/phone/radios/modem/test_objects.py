import pytest

from phonegate.phone.radios.modem.objects import MESSAGING, MODEM, Modem, modem_of, modems_of

from .mock_manager import IMEI, MODEM_PATH, modem


def read(**properties: tuple[str, object]) -> Modem:
    found = modem_of(MODEM_PATH, modem(**properties))
    assert found is not None
    return found


def test_a_modem_is_read_from_its_properties() -> None:
    found = read(UnlockRetries=("a{uu}", {1: 3}))
    assert (found.imei, found.name, found.index) == (IMEI, "Mock One", "0")
    assert (found.number, found.operator, found.signal) == ("+1555", "Net", 3)
    assert (found.generation, found.lock_tries, found.sim) == (
        "4g",
        3,
        "/org/freedesktop/ModemManager1/SIM/0",
    )
    assert found.is_on
    assert found.is_registered
    assert not found.is_locked


def test_a_modem_that_says_nothing_is_still_one() -> None:
    found = modem_of("/x/7", {MODEM: {}})
    assert found is not None
    assert (found.imei, found.name, found.sim, found.number) == ("/x/7", "modem", None, None)
    assert not found.has_messaging
    assert not found.is_on


def test_other_objects_are_no_modems() -> None:
    assert modem_of("/x", {MESSAGING: {}}) is None
    objects = {"/b": modem(), "/a": modem(), "/c": {}}
    assert [one.path for one in modems_of(objects)] == ["/a", "/b"]


@pytest.mark.parametrize(
    ("percent", "steps"), [(-1, 0), (0, 0), (1, 1), (25, 1), (26, 2), (75, 3), (76, 4), (200, 4)]
)
def test_the_signal_in_steps(percent: int, steps: int) -> None:
    assert read(SignalQuality=("(ub)", (percent, True))).signal == steps


@pytest.mark.parametrize(
    ("lock", "is_locked"),
    [(0, False), (1, False), (2, True), (3, False), (4, True), (5, False), (10, True)],
)
def test_codes_that_only_protect_settings_lock_nothing(lock: int, *, is_locked: bool) -> None:
    assert read(UnlockRequired=("u", lock)).is_locked is is_locked
