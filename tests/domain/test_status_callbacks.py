"""By which webhooks status callbacks go, and of which messages each of these reports."""

from typing import Any

import pytest

from phonegate.domain import status_callbacks
from phonegate.domain.status_callbacks import IDLE_MS, NOTED_EACH_MS, callback_of, expect
from phonegate.domain.webhook_standing import disable
from phonegate.model.callbacks import Callback
from phonegate.model.events import Event
from phonegate.model.orgs import ApiKey, Org
from phonegate.model.refusals import Conflict
from phonegate.model.states import Cause
from phonegate.model.webhooks import Webhook
from phonegate.store.tables import Tables
from tests.store.conftest import memory, outbound

NOW = 1_700_000_000_000
TWILIO = Callback(shape="twilio", url="https://a.example/x?uuid=1", sign=bytes(range(40)))
KANNEL = Callback(shape="kannel", url="https://a.example/y?%d", mask=3)


@pytest.fixture
def tables() -> Tables:
    return Tables(memory())


@pytest.fixture
def org(tables: Tables) -> Org:
    return tables.orgs.add("myorg", "hash", 1)


def accept(tables: Tables, org: Org, callback: Callback, now: int = NOW, **columns: Any) -> int:
    """Stores a message of a callback as `Acceptance.store` does, in a transaction of its own."""
    expect(tables, org.id, [callback, None, callback], now)
    new = outbound(org.id, status_callback=callback, created_at=now, **columns)
    id_ = tables.messages.insert(new)
    tables.complete(now)
    tables.facts.clear()
    return id_


def events(tables: Tables, org: Org) -> list[Event]:
    return tables.events.page(org.id, 0, 100)


def test_an_org_listens_from_the_first_such_message_on(tables: Tables, org: Org) -> None:
    tables.messages.insert(outbound(org.id))
    tables.complete(NOW)
    tables.facts.clear()
    id_ = accept(tables, org, TWILIO)
    (hook,) = tables.webhooks.of_org(org.id)
    assert hook.is_for_callbacks
    assert (hook.url, hook.shape, hook.secret, hook.key) == (
        "https://a.example/",
        "twilio",
        "",
        None,
    )
    (event,) = events(tables, org)
    assert event.message is not None
    assert (event.type, event.message.id) == ("message.queued", id_)
    # What happens in the transaction that makes it is the first that it gets.
    assert hook.position < event.id
    assert callback_of(tables, hook, event) == TWILIO


def test_there_is_one_for_each_shape_and_origin(tables: Tables, org: Org) -> None:
    for url in ("https://A.example/", "https://a.example/2", "https://a.example:8443/"):
        accept(tables, org, Callback(shape="twilio", url=url))
    accept(tables, org, KANNEL)
    other = tables.orgs.add("other", "hash", 1)
    accept(tables, other, TWILIO)
    found = [(hook.shape, hook.url) for hook in tables.webhooks.of_org(org.id)]
    assert found == [
        ("twilio", "https://a.example/"),
        ("twilio", "https://a.example:8443/"),
        ("kannel", "https://a.example/"),
    ]
    assert tables.webhooks.count_for_callbacks(org.id) == 3
    assert tables.webhooks.count_of_org(org.id) == 0, "they are none of the org's own"
    assert len(tables.webhooks.of_org(other.id)) == 1


def test_each_reports_of_its_own_messages_alone(tables: Tables, org: Org) -> None:
    accept(tables, org, TWILIO)
    accept(tables, org, KANNEL)
    tables.messages.insert(outbound(org.id))
    tables.complete(NOW)
    twilio, kannel = tables.webhooks.of_org(org.id)
    first, second, plain = events(tables, org)
    assert callback_of(tables, twilio, first) == TWILIO
    assert callback_of(tables, kannel, second) == KANNEL
    wrong = [(twilio, second), (twilio, plain), (kannel, first), (kannel, plain)]
    assert [callback_of(tables, *one) for one in wrong] == [None] * 4
    online = Event(id=9, org=org.id, type="phone.online", at=NOW, phone=1)
    assert callback_of(tables, twilio, online) is None


def test_a_key_s_message_reports_until_the_key_is_revoked(tables: Tables, org: Org) -> None:
    # A key that may only send, and read nothing.
    key = ApiKey(
        id="k3v9", org=org.id, org_name=org.name, name="a", scopes=("send",), digest=b"d",
        created_at=1,
    )  # fmt: skip
    tables.keys.add(key)
    accept(tables, org, TWILIO, key="k3v9")
    (hook,), (event,) = tables.webhooks.of_org(org.id), events(tables, org)
    assert callback_of(tables, hook, event) == TWILIO
    tables.keys.remove(org.id, "k3v9")
    assert callback_of(tables, hook, event) is None


def test_its_use_is_written_down_now_and_then(tables: Tables, org: Org) -> None:
    def used_at() -> int | None:
        (hook,) = tables.webhooks.of_org(org.id)
        return hook.used_at

    accept(tables, org, TWILIO)
    accept(tables, org, TWILIO, NOW + NOTED_EACH_MS - 1)
    assert used_at() == NOW
    accept(tables, org, TWILIO, NOW + NOTED_EACH_MS)
    assert used_at() == NOW + NOTED_EACH_MS
    accept(tables, org, TWILIO, NOW)  # the clock was set back
    assert used_at() == NOW


def test_one_that_was_disabled_is_called_again_for_a_new_message(tables: Tables, org: Org) -> None:
    accept(tables, org, TWILIO)
    (hook,) = tables.webhooks.of_org(org.id)
    tables.deliveries.mark_failing(hook.id, NOW)
    disable(tables, hook, "Every call has failed for three days.", NOW)
    accept(tables, org, TWILIO)
    (again,) = tables.webhooks.of_org(org.id)
    assert (again.disabled_at, again.disabled_reason, again.failing_since) == (None, None, None)


def test_the_longest_unused_makes_room_and_one_in_use_does_not(
    tables: Tables, org: Org, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status_callbacks, "MOST_RECEIVERS", 2)
    for number in (1, 2):
        accept(tables, org, Callback(shape="jasmin", url=f"http://{number}.example/"), NOW + number)
    third = Callback(shape="jasmin", url="http://3.example/")
    with pytest.raises(Conflict, match="status callbacks at 2 hosts"):
        expect(tables, org.id, [third], NOW + IDLE_MS)
    expect(tables, org.id, [third], NOW + IDLE_MS + 2)
    urls = [hook.url for hook in tables.webhooks.of_org(org.id)]
    assert urls == ["http://2.example/", "http://3.example/"]
    # What waits for one keeps it.
    tables.complete(NOW)
    second = tables.webhooks.of_org(org.id)[0]
    (_, event) = events(tables, org)[-2:]
    assert tables.deliveries.take(second, 10, lambda one: one.id == event.id, NOW).waiting == 1
    fourth = Callback(shape="jasmin", url="http://4.example/")
    with pytest.raises(Conflict):
        expect(tables, org.id, [fourth], NOW + IDLE_MS + 3)


def test_neither_the_address_nor_the_state_is_in_an_event_or_repr() -> None:
    connection = memory()
    tables = Tables(connection)
    org = tables.orgs.add("myorg", "hash", 1)
    id_ = accept(tables, org, TWILIO)
    message = tables.messages.find(org.id, id_)
    assert message is not None
    tables.messages.transition(message, Cause.PUSHED)
    tables.complete(NOW)
    assert TWILIO.sign is not None
    kept = str(connection.execute("SELECT data FROM events").fetchall())
    (hook,) = tables.webhooks.of_org(org.id)
    signed = Webhook(
        id=1, org=1, org_name="o", url="u", events=("*",), secret="s", created_at=1, position=1,
        signing_state=TWILIO.sign,
    )  # fmt: skip
    for text in (kept, repr(message), repr(events(tables, org)), repr(hook), repr(signed)):
        assert "uuid" not in text
        assert "a.example" not in text
        assert TWILIO.sign.hex() not in text
        assert repr(TWILIO.sign)[2:12] not in text
