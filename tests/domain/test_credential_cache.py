from phonegate.domain.credential_cache import LIFETIME_MS, CredentialCache
from phonegate.model.principal import Principal

NOW = 1_700_000_000_000


def who(org: int) -> Principal:
    return Principal(org=org, org_name=f"org-{org}", scopes=("send",))


def test_a_mark_tells_credentials_and_orgs_apart_and_nothing_else() -> None:
    memory = CredentialCache()
    marks = {
        memory.mark("myorg", "secret-a"),
        memory.mark("myorg", "secret-b"),
        memory.mark("yourorg", "secret-a"),
        memory.mark(None, "secret-a"),
        memory.mark("myorgsecret", "-a"),
    }
    assert len(marks) == 5
    assert memory.mark("myorg", "secret-a") == memory.mark("myorg", "secret-a")
    assert memory.mark("myorg", "secret-a") != CredentialCache().mark("myorg", "secret-a")


def test_any_text_has_a_mark() -> None:
    memory = CredentialCache()
    assert memory.mark("\ud800", "\udfff") != memory.mark("\ud800", "\ud800")


def test_it_forgets_after_its_lifetime() -> None:
    memory = CredentialCache()
    memory.remember(b"a", who(1), NOW)
    assert memory.recall(b"a", NOW + LIFETIME_MS - 1) is not None
    assert memory.recall(b"a", NOW + LIFETIME_MS) is None


def test_a_clock_set_back_makes_nothing_live_longer() -> None:
    memory = CredentialCache()
    memory.remember(b"a", who(1), NOW)
    assert memory.recall(b"a", NOW - 1) is None


def test_the_one_unused_for_longest_makes_room() -> None:
    memory = CredentialCache(capacity=2)
    memory.remember(b"a", who(1), NOW)
    memory.remember(b"b", who(1), NOW)
    memory.recall(b"a", NOW)
    memory.remember(b"c", who(1), NOW)
    assert memory.recall(b"b", NOW) is None
    assert memory.recall(b"a", NOW) is not None
    assert memory.recall(b"c", NOW) is not None
    assert len(memory) == 2


def test_an_org_is_forgotten_whole() -> None:
    memory = CredentialCache()
    memory.remember(b"a", who(1), NOW)
    memory.remember(b"b", who(1), NOW)
    memory.remember(b"c", who(2), NOW)
    memory.forget(1)
    assert memory.recall(b"a", NOW) is None
    assert memory.recall(b"b", NOW) is None
    assert memory.recall(b"c", NOW) is not None
    memory.clear()
    assert memory.recall(b"c", NOW) is None


def test_what_was_right_is_known_as_such_until_it_is_found_wrong() -> None:
    memory = CredentialCache()
    assert not memory.was_right(b"a")
    memory.remember(b"a", who(1), NOW)
    memory.recall(b"a", NOW + LIFETIME_MS)
    memory.forget(1)
    assert memory.was_right(b"a")
    memory.found_wrong(b"a")
    memory.found_wrong(b"b")
    assert not memory.was_right(b"a")
    assert len(memory) == 0


def test_an_org_with_too_many_pushes_out_its_own() -> None:
    memory = CredentialCache(capacity=100)
    for number in range(20):
        memory.remember(b"other-%d" % number, who(number + 2), NOW)
    for number in range(1_000):
        memory.remember(b"key-%d" % number, who(1), NOW)
    assert all(memory.recall(b"other-%d" % number, NOW) for number in range(20))
    assert len(memory) == 100
    assert memory.recall(b"key-999", NOW) is not None
    assert memory.recall(b"key-0", NOW) is None
