import pytest

from phonegate.phone.radios.modem import troubles
from phonegate.phone.radios.modem.objects import Modem, modems_of
from phonegate.phone.radios.modem.troubles import Trouble, choose

from .mock_manager import modem

A, B = "111111111111111", "222222222222222"
TWO = modems_of(
    {
        "/m/0": modem(EquipmentIdentifier=("s", A)),
        "/m/5": modem(EquipmentIdentifier=("s", B)),
    }
)


@pytest.mark.parametrize(("wanted", "imei"), [(A, A), (B, B), ("0", A), ("5", B)])
def test_a_modem_is_named_by_imei_or_index(wanted: str, imei: str) -> None:
    chosen = choose(TWO, wanted)
    assert isinstance(chosen, Modem)
    assert chosen.imei == imei


def test_without_a_name_only_a_single_one_is_chosen() -> None:
    assert choose(TWO[:1], None) == TWO[0]
    several, none = choose(TWO, None), choose([], None)
    assert isinstance(several, Trouble)
    assert not several.may_pass
    assert A in several.sentence
    assert B in several.sentence
    assert isinstance(none, Trouble)
    assert none.may_pass


def test_one_that_is_not_there_is_named_beside_those_that_are() -> None:
    missing = choose(TWO[:1], B)
    assert isinstance(missing, Trouble)
    assert missing.sentence == f"The modem {B} was not found: ModemManager lists {A} (Mock One)."
    alone = choose([], B)
    assert isinstance(alone, Trouble)
    assert alone.sentence == f"The modem {B} was not found: ModemManager lists no modem."


@pytest.mark.parametrize(
    ("version", "mixes"),
    [("1.20.4", True), ("1.22", True), ("1.24.0", False), ("2.0", False), ("", False)],
)
def test_versions_that_mix_parts(version: str, *, mixes: bool) -> None:
    assert troubles.mixes_parts(version) is mixes
