import json
import sqlite3
from typing import Any

import attrs
import pytest

from phonegate.model.callbacks import Callback
from phonegate.model.messages import SETTABLE, Message, MessageView, NewInbound, NewMessage
from phonegate.model.orgs import Org
from phonegate.store import rows
from phonegate.store.tables import Tables


def fields(model: type[attrs.AttrsInstance]) -> list[str]:
    return [field.name for field in attrs.fields(model)]


def value_of(name: str, at: int) -> Any:
    """A value for a field that is no other field's, and not its default."""
    # These alone are checked by the database, or have another form there.
    given: dict[str, Any] = {
        "media_urls": (f"https://a/{at}", "https://b"),
        "provider": "twilio",
        "approval": "asked",
        "on_uncertain": "resend",
        "status": "sending",
        "fingerprint": b"%d" % at,
        "status_callback": Callback(shape="kannel", url=f"https://a/{at}", mask=3, sign=b"%d" % at),
    }
    text = {"address", "body", "sim_selector", "sim", "reference", "callback_url", "key", "error"}
    text |= {"client_id"}
    return given.get(name, f"text {at}" if name in text else at)


def whole(model: type[attrs.AttrsInstance], org: int) -> dict[str, Any]:
    """A value for each field of a class of the model."""
    made = {name: value_of(name, 100 + at) for at, name in enumerate(fields(model))}
    return made | {"org": org}


def test_each_field_is_a_column(connection: sqlite3.Connection) -> None:
    columns = {row[1] for row in connection.execute("PRAGMA table_info(messages)")}
    assert columns == {*fields(Message), "fingerprint"}
    assert sorted(rows.COLUMNS) == sorted(fields(Message))
    assert set(fields(NewMessage)) < set(fields(Message))
    assert set(fields(NewInbound)) - {"fingerprint"} < set(fields(Message))


def test_each_value_goes_into_the_field_of_its_column() -> None:
    callback = value_of("status_callback", 1)
    written = {"media_urls": '["media_urls"]', "status_callback": json.dumps(callback.kept())}
    row = tuple(written.get(name, name) for name in rows.COLUMNS)
    read = rows.message(row)
    known = {"media_urls": ("media_urls",), "status_callback": callback}
    assert {name: getattr(read, name) for name in fields(Message)} == {
        name: known.get(name, name) for name in fields(Message)
    }
    view = rows.view(tuple(row[rows.COLUMNS.index(name)] for name in MessageView._fields))
    assert view._asdict() == {name: getattr(read, name) for name in MessageView._fields}


def test_a_row_that_is_too_short_is_no_message() -> None:
    row = tuple(None for _ in rows.COLUMNS)
    rows.message(row)
    with pytest.raises(ValueError, match="shorter"):
        rows.message(row[:-1])


@pytest.mark.parametrize("status", ["queued", "sending"])
def test_every_field_of_a_new_message_is_kept(tables: Tables, org: Org, status: str) -> None:
    new = NewMessage(**whole(NewMessage, org.id) | {"status": status})
    unset = [f.name for f in attrs.fields(NewMessage) if getattr(new, f.name) == f.default]
    assert unset in ([], ["status"]), "a field with its default would show nothing"
    id_ = tables.messages.insert(new)
    found = tables.messages.find(org.id, id_)
    assert found is not None
    assert {name: getattr(found, name) for name in fields(NewMessage)} == attrs.asdict(
        new, recurse=False
    )
    assert rows.stored(new, id_) == found, "what storing makes is known without reading it"


def test_every_field_of_a_received_message_is_kept(tables: Tables, org: Org) -> None:
    new = NewInbound(**whole(NewInbound, org.id))
    id_ = tables.messages.insert_inbound(new)
    assert id_ is not None
    found = tables.messages.find(org.id, id_)
    assert found is not None
    kept = attrs.asdict(new, recurse=False)
    assert tables.messages.by_fingerprint(org.id, kept.pop("fingerprint")) == id_
    assert {name: getattr(found, name) for name in kept} == kept
    assert (found.direction, found.status) == ("in", "received")


def test_what_was_said_to_whom_never_changes() -> None:
    fixed = set(fields(Message)) - SETTABLE
    assert {"id", "org", "direction", "address", "body", "created_at", "key"} <= fixed
    # These are changed by methods of their own.
    assert {"status", "held_until"} <= fixed
    assert {"error", "carrier_id", "polls", "phone", "acked_at"} <= SETTABLE


def test_a_repeat_asks_for_the_same_and_for_nothing_else() -> None:
    message = rows.stored(NewMessage(**whole(NewMessage, 3)), 9)
    copy = message.again(created_at=5)
    same = {name for name in fields(NewMessage) if getattr(copy, name) == getattr(message, name)}
    asked = {"address", "body", "sim_selector", "provider", "media_urls", "priority", "expires_at"}
    assert same == {*asked, "org", "quiet_at", "key", "segments", "client_id"}
    assert (copy.resend_of, copy.on_uncertain, copy.created_at) == (9, "hold", 5)
    callback = message.status_callback
    assert callback is not None
    # What became of the copy is reported of the message that its sender knows.
    assert copy.status_callback == attrs.evolve(callback, known_as=9)
    again = rows.stored(copy, 12).again(created_at=6)
    assert again.status_callback == copy.status_callback
