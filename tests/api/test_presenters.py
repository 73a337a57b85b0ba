from collections.abc import Callable, Sequence

import attrs
import pytest

from phonegate.api.presenters import MessageJson, message_json
from phonegate.domain.dispatch import OnlinePhone
from phonegate.model.messages import FAR_AHEAD_MS, Message
from phonegate.model.phones import Sim
from phonegate.model.times import iso
from tests.domain.messages import message

MESSAGE = message(5, created_at=1_700_000_000_001, sim_slot=None, sim=None)
SIM = Sim(slot=0, number="+15551112222", carrier="AT&T")
PHONE = OnlinePhone(phone=7, device_id=None, name=None, sims=(SIM,))


def shown(
    message: Message,
    online: Sequence[OnlinePhone],
    known: Callable[[], Sequence[Sim]] = tuple,
) -> MessageJson:
    return message_json(message, online, known, media="https://gate.lan/media/myorg")


def waits(**changes: object) -> str | None:
    message = attrs.evolve(MESSAGE, **changes)  # type: ignore[arg-type]
    return shown(message, [PHONE]).waiting_for


def test_what_waits_for_approval_shows_the_time_that_was_asked_for() -> None:
    asked = attrs.evolve(MESSAGE, approval="asked", held_until=FAR_AHEAD_MS, wanted_at=None)
    assert shown(asked, [PHONE]).send_at is None
    later = attrs.evolve(asked, wanted_at=MESSAGE.created_at)
    assert shown(later, [PHONE]).send_at == iso(MESSAGE.created_at)
    assert waits(approval="asked", held_until=FAR_AHEAD_MS) == "approval"
    assert waits(approval="given", held_until=MESSAGE.created_at) == "send_at"
    assert waits(approval="given", held_until=None) == "turn"
    assert waits(approval="asked", held_until=FAR_AHEAD_MS, status="cancelled") is None


def test_a_message_shows_its_times_and_nulls() -> None:
    fields = attrs.asdict(shown(MESSAGE, []))
    assert fields["created_at"] == "2023-11-14T22:13:20.001Z"
    assert fields["sent_at"] is None
    assert set(fields) == {
        "id",
        "direction",
        "address",
        "body",
        "status",
        "created_at",
        "sim_slot",
        "sim",
        "date",
        "sent_at",
        "delivered_at",
        "error",
        "segments",
        "provider",
        "media_urls",
        "send_at",
        "expires_at",
        "waiting_for",
        "key",
    }


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"status": "queued"}, "turn"),
        ({"status": "queued", "sim_selector": "0"}, "turn"),
        ({"status": "queued", "sim_selector": "+15551112222"}, "turn"),
        ({"status": "queued", "phone": 7, "sim_selector": "0"}, "turn"),
        ({"status": "queued", "sim_selector": "1"}, "sim"),
        ({"status": "queued", "phone": 8, "sim_selector": "0"}, "phone"),
        ({"status": "queued", "phone": 7, "sim_selector": "1"}, "sim"),
        ({"status": "queued", "sim_selector": "+15550000000"}, "sim"),
        ({"status": "queued", "held_until": 1_800_000_000_000}, "send_at"),
        ({"status": "sending"}, "result"),
        ({"status": "sending", "phone": 7}, "result"),
        ({"status": "sending", "phone": 7, "sim_selector": "+15551112222"}, "result"),
        ({"status": "sending", "phone": 7, "sim_selector": "+15550000000"}, "sim"),
        ({"status": "sending", "phone": 8}, "phone"),
        ({"status": "sending", "phone": 8, "acked_at": 1}, "result"),
        ({"status": "sent"}, None),
        ({"status": "uncertain"}, None),
        ({"status": "received", "direction": "in"}, None),
    ],
)
def test_a_message_that_waits_says_for_what(changes: dict[str, object], reason: str | None) -> None:
    assert waits(**changes) == reason


def test_without_any_phone_a_message_waits_for_one() -> None:
    assert shown(MESSAGE, []).waiting_for == "phone"


def test_a_sim_that_an_absent_phone_has_waits_for_that_phone() -> None:
    away = Sim(slot=1, number="+1 555 000 0000", phone=8)
    selected = attrs.evolve(MESSAGE, sim_selector="+15550000000")
    assert shown(selected, [PHONE], lambda: [away]).waiting_for == "phone"
    assert shown(selected, [PHONE], lambda: [SIM]).waiting_for == "sim"
    assert shown(selected, [], lambda: [SIM]).waiting_for == "phone"
    unread = attrs.evolve(PHONE, sims=())
    assert shown(selected, [unread], list).waiting_for == "phone"


def test_stored_parts_have_addresses_before_those_of_a_carrier() -> None:
    mms = attrs.evolve(MESSAGE, direction="in", status="received", parts=2)
    own = ("https://gate.lan/media/myorg/5/1", "https://gate.lan/media/myorg/5/2")
    assert shown(mms, []).media_urls == own
    both = attrs.evolve(mms, media_urls=("https://a/1",))
    assert shown(both, []).media_urls == (*own, "https://a/1")
