from phonegate.domain.refused_credentials import RefusedCredentials


def test_it_holds_what_was_wrong_until_something_is_new() -> None:
    refused = RefusedCredentials()
    assert not refused.holds(b"a", create=False)
    refused.note(b"a", create=False, state=refused.state)
    assert refused.holds(b"a", create=False)
    assert not refused.holds(b"a", create=True)
    refused.clear()
    assert not refused.holds(b"a", create=False)


def test_what_was_found_wrong_before_something_was_new_is_not_held() -> None:
    refused = RefusedCredentials()
    state = refused.state
    refused.clear()
    refused.note(b"a", create=False, state=state)
    assert not refused.holds(b"a", create=False)


def test_it_is_bounded_and_forgets_what_came_longest_ago() -> None:
    refused = RefusedCredentials(capacity=2)
    for mark in (b"a", b"b"):
        refused.note(mark, create=False, state=refused.state)
    assert refused.holds(b"a", create=False)
    refused.note(b"c", create=False, state=refused.state)
    assert [refused.holds(mark, create=False) for mark in (b"a", b"b", b"c")] == [True, False, True]
    assert len(refused) == 2
