from phonegate.model.orgs import KeptAnswer, Org
from phonegate.store.tables import Tables


def _reply(created_at: int, body: bytes = b"{}") -> KeptAnswer:
    return KeptAnswer(fingerprint=b"f", status=200, body=body, created_at=created_at)


def test_kept_by_org_route_and_key(tables: Tables, org: Org, other: Org) -> None:
    tables.kept_answers.put(org.id, "send", "k", _reply(1))
    assert tables.kept_answers.get(org.id, "send", "k") == _reply(1)
    assert tables.kept_answers.get(org.id, "sms", "k") is None
    assert tables.kept_answers.get(org.id, "send", "K") is None
    assert tables.kept_answers.get(other.id, "send", "k") is None
    tables.kept_answers.put(org.id, "send", "k", _reply(2, b"new"))
    assert tables.kept_answers.get(org.id, "send", "k") == _reply(2, b"new")


def test_prune_takes_the_oldest_within_its_limit(tables: Tables, org: Org) -> None:
    for age in range(10):
        tables.kept_answers.put(org.id, "send", str(age), _reply(age))
    assert tables.kept_answers.prune(8, limit=5) == 5
    assert tables.kept_answers.get(org.id, "send", "4") is None
    assert tables.kept_answers.get(org.id, "send", "5") is not None
    assert tables.kept_answers.prune(8) == 3
    assert tables.kept_answers.prune(8) == 0
    assert tables.kept_answers.get(org.id, "send", "8") is not None
