import pytest

from phonegate.domain.reported_numbers import rounded_number, truth, whole_number


@pytest.mark.parametrize("value", [5, 5.0, "5", " 5 ", "+5", "5.", "5.00"], ids=repr)
def test_a_whole_number_is_known_in_every_form(value: object) -> None:
    assert whole_number(value) == rounded_number(value) == 5


@pytest.mark.parametrize("value", [None, True, "", "5.5", "x", [], {}, 1e300, "\u0665"], ids=repr)
def test_what_is_no_whole_number(value: object) -> None:
    assert whole_number(value) is None
    assert rounded_number(value) is None


def test_only_what_decorates_is_rounded() -> None:
    assert whole_number(-90.4) is None
    assert rounded_number(-90.4) == -90


@pytest.mark.parametrize("value", [True, 1, 1.0, "1", "yes", " TRUE "], ids=repr)
def test_yes(value: object) -> None:
    assert truth(value) is True


@pytest.mark.parametrize("value", [False, 0, 0.0, "0", "no", "False"], ids=repr)
def test_no(value: object) -> None:
    assert truth(value) is False


@pytest.mark.parametrize("value", [None, 2, "", "perhaps", [], {}, 0.5], ids=repr)
def test_neither(value: object) -> None:
    assert truth(value) is None
