import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from phonegate.model.states import QUEUED, SENDING, STATES, UNCERTAIN
from phonegate.store.moving.contents import SPACES, every_part
from phonegate.store.moving.moved_ids import PUSHED_BEFORE, moved, shift_for
from phonegate.store.moving.org_reading import kept

PARTS = every_part()
SHIFTS = {space: 1_000 * n for n, space in enumerate(SPACES, 1)}


def row_of(table: str, **values: Any) -> list[Any]:
    return [values.get(name) for name in kept(PARTS[table])]


def after(table: str, row: list[Any], shifts: dict[str, int] | None = None) -> dict[str, Any]:
    columns = kept(PARTS[table])
    moved(PARTS[table], columns, [row], SHIFTS if shifts is None else shifts)
    return dict(zip(columns, row, strict=True))


@given(st.integers(0, 2**40), st.integers(0, 2**40), st.data())
def test_no_id_that_either_gateway_has_given_is_given_again(
    here: int, there: int, data: st.DataObject
) -> None:
    known = data.draw(st.integers(1, max(1, there)))
    assert known + shift_for(here, there) > max(here, there)


def test_every_id_of_a_row_moves() -> None:
    for table, part in PARTS.items():
        if table in {"events", "deliveries", "figures", "messages"}:
            continue
        found = after(table, row_of(table, **dict.fromkeys(part.ids, 7)))
        for column, space in part.ids.items():
            assert found[column] == 7 + SHIFTS[space], (table, column)
        empty = after(table, row_of(table, **dict.fromkeys(part.ids, 0)))
        assert not any(empty[column] for column in part.ids), table


def test_ids_within_texts_move() -> None:
    message = {"id": 5, "phone": 3, "body": "ü"}
    found = after(
        "events", row_of("events", id=1, type="message.sent", message=5, data=json.dumps(message))
    )
    moved_message = {"id": 5 + SHIFTS["messages"], "phone": 3 + SHIFTS["phones"], "body": "ü"}
    assert json.loads(found["data"]) == moved_message
    assert found["message"] == moved_message["id"]
    row = row_of("events", id=1, type="phone.online", phone=3, data=json.dumps({"id": 3}))
    assert json.loads(after("events", row)["data"]) == {"id": 3 + SHIFTS["phones"]}
    row = row_of("events", id=1, type="webhook.disabled", data=json.dumps({"id": 3}))
    assert json.loads(after("events", row)["data"]) == {"id": 3 + SHIFTS["webhooks"]}
    row = row_of("events", id=1, type="alarm.raised", data=json.dumps({"name": "disk"}))
    assert json.loads(after("events", row)["data"]) == {"name": "disk"}
    for before, then in (
        ("message/5", f"message/{5 + SHIFTS['messages']}"),
        ("phone/5", f"phone/{5 + SHIFTS['phones']}"),
        ("alarm", "alarm"),
        ("test", "test"),
    ):
        row = row_of("deliveries", n=1, webhook=1, subject=before)
        assert after("deliveries", row)["subject"] == then
    for before, then in (
        ("#3:1", f"#{3 + SHIFTS['phones']}:1"),
        ("#3:", f"#{3 + SHIFTS['phones']}:"),
        ("+15551112222", "+15551112222"),
        ("@twilio", "@twilio"),
    ):
        assert after("figures", row_of("figures", sender=before))["sender"] == then
    row = row_of("messages", id=6, status="sent", status_callback=json.dumps({"known_as": 5}))
    found = after("messages", row)
    assert json.loads(found["status_callback"]) == {"known_as": 5 + SHIFTS["messages"]}


def test_what_a_phone_may_have_got_is_not_pushed_under_another_id() -> None:
    for status in STATES:
        for pushed_at, assistant, is_unsure in (
            (None, None, False),
            (5, None, status in {QUEUED, SENDING}),
            (5, 3, False),
        ):
            row = row_of("messages", id=6, status=status, pushed_at=pushed_at, assistant=assistant)
            found = after("messages", [*row])
            assert found["status"] == (UNCERTAIN if is_unsure else status)
            assert found["error"] == (PUSHED_BEFORE if is_unsure else None)
            kept_ids = after("messages", [*row], {"phones": 5})
            assert (kept_ids["status"], kept_ids["error"]) == (status, None)
