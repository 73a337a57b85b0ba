import pytest

from phonegate.domain.registration import Mode, Registration


@pytest.mark.parametrize(
    ("mode", "local", "far"),
    [("local", True, False), ("open", True, True), ("closed", False, False)],
)
def test_whom_a_rule_admits(mode: Mode, *, local: bool, far: bool) -> None:
    rule = Registration(chosen=mode)
    assert (rule.admits(local=True), rule.admits(local=False)) == (local, far)


def test_the_configuration_wins_over_the_command_and_that_over_the_default() -> None:
    rule = Registration()
    assert (rule.mode, rule.source) == ("local", "the default")
    rule.chosen = "closed"
    assert (rule.mode, rule.source) == ("closed", "phonegate registration")
    rule = Registration(forced="open", forced_by="file gateway.toml", chosen="closed")
    assert (rule.mode, rule.source) == ("open", "file gateway.toml")
