"""Received SMS are stored once."""

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs
import pytest

from phonegate.domain.admission import EACH_BYTES
from phonegate.domain.inbox import Receipt, Received, SourceLink, fingerprint_of, receive
from phonegate.domain.media import part
from phonegate.domain.rate_limits import Bounds, RateLimits
from phonegate.domain.received_sms import read_received
from phonegate.model.bounds import MAX_MMS_BYTES, MAX_PART_BYTES
from phonegate.model.media import Part
from phonegate.model.messages import Message, NewInbound, PageQuery
from phonegate.model.phones import Sim
from phonegate.model.refusals import DiskLow, StorageSpent
from phonegate.store.database import Database
from phonegate.store.migrations import STEPS, migrate
from phonegate.store.tables import Tables

NOW = 1_700_000_000_000
SMS = Received(address="+15551112222", body="hello", date=NOW, sim_slot=0, local_id="123")


@attrs.frozen
class Scene:
    database: Database
    org: int
    rate_limits: RateLimits = attrs.field(factory=RateLimits)

    async def receive(
        self,
        *items: Received,
        device_id: str | None = None,
        phone: int | None = None,
        link: SourceLink | None = None,
    ) -> Receipt:
        return await self.database.write(
            lambda tx: receive(
                tx,
                self.org,
                items,
                phone=phone,
                device_id=device_id,
                now=NOW + 1,
                rate_limits=self.rate_limits,
                link=link,
            )
        )

    async def stored(self) -> list[Message]:
        return await self.database.read(lambda tx: tx.messages.page(self.org, PageQuery()))


@pytest.fixture
async def scene(database: Database) -> Scene:
    org = await database.write(lambda tx: tx.orgs.add("myorg", "hash", NOW))
    return Scene(database, org.id)


async def test_a_message_keeps_what_the_phone_told(scene: Scene) -> None:
    receipt = await scene.receive(SMS)
    (message,) = await scene.stored()
    assert receipt == Receipt(stored=1, duplicates=0, ids=(message.id,))
    assert (message.direction, message.status) == ("in", "received")
    assert (message.address, message.body, message.date) == ("+15551112222", "hello", NOW)
    assert (message.created_at, message.segments, message.sim_slot) == (NOW + 1, 1, 0)


async def test_a_repeat_is_a_duplicate_with_the_first_ones_id(scene: Scene) -> None:
    first = await scene.receive(SMS)
    assert await scene.receive(SMS) == Receipt(stored=0, duplicates=1, ids=first.ids)
    assert await scene.receive(SMS, SMS) == Receipt(stored=0, duplicates=2, ids=first.ids * 2)


async def test_a_repeat_within_one_call_counts_too(scene: Scene) -> None:
    receipt = await scene.receive(SMS, SMS)
    assert (receipt.stored, receipt.duplicates) == (1, 1)


@pytest.mark.parametrize(
    "change",
    [
        {"address": "+1"},
        {"body": "other"},
        {"date": NOW + 1},
        {"local_id": "124"},
        {"sim_slot": 1},
        {"sim_slot": None},
        {"sim": "+15550001111"},
        {"media_urls": ("https://example.com/image.jpg",)},
    ],
)
async def test_whatever_tells_two_messages_apart_keeps_both(
    scene: Scene, change: dict[str, Any]
) -> None:
    await scene.receive(SMS)
    assert (await scene.receive(attrs.evolve(SMS, **change))).stored == 1


async def test_two_phones_may_receive_the_same_text(scene: Scene) -> None:
    await scene.receive(SMS, device_id="a")
    assert (await scene.receive(SMS, device_id="b")).stored == 1


async def test_two_phones_without_a_name_may_receive_the_same_text(scene: Scene) -> None:
    await scene.receive(SMS, phone=1)
    assert (await scene.receive(SMS, phone=2)).stored == 1
    assert (await scene.receive(SMS, phone=1)).duplicates == 1


async def test_before_a_phone_is_recognised_only_its_own_connection_repeats(scene: Scene) -> None:
    first, second = SourceLink("first", recognised=False), SourceLink("second", recognised=False)
    await scene.receive(SMS, phone=1, link=first)
    assert (await scene.receive(SMS, phone=1, link=first)).duplicates == 1
    assert (await scene.receive(SMS, phone=1, link=second)).stored == 1
    recognised = attrs.evolve(first, recognised=True)
    assert (await scene.receive(SMS, phone=2, link=recognised)).duplicates == 1
    assert (await scene.receive(SMS, phone=2)).stored == 1
    assert (
        await scene.receive(SMS, phone=2, link=SourceLink("x", recognised=True))
    ).duplicates == 1


async def test_a_phone_with_a_name_may_come_by_either_way(scene: Scene) -> None:
    await scene.receive(SMS, device_id="a", phone=1)
    assert (await scene.receive(SMS, device_id="a")).duplicates == 1


async def test_a_number_and_its_digits_are_the_same_id(scene: Scene) -> None:
    await scene.receive(SMS)
    assert (await scene.receive(attrs.evolve(SMS, local_id=123))).duplicates == 1


async def test_equal_texts_without_date_or_id_are_all_kept(scene: Scene) -> None:
    bare = attrs.evolve(SMS, date=None, local_id=None)
    assert fingerprint_of(bare, None) is None
    assert (await scene.receive(bare, bare)).stored == 2


async def test_orgs_do_not_share_repeats(scene: Scene) -> None:
    await scene.receive(SMS)
    other = await scene.database.write(lambda tx: tx.orgs.add("other", "hash", NOW))
    assert (await Scene(scene.database, other.id).receive(SMS)).stored == 1


async def test_the_sims_number_is_filled_in_where_only_one_can_be_meant(scene: Scene) -> None:
    def report(tx: Tables, device_id: str, number: str) -> None:
        phone = tx.phones.connect(scene.org, device_id, NOW)
        tx.phones.report_sims(scene.org, phone.id, [Sim(slot=0, number=number)], NOW)

    await scene.database.write(lambda tx: report(tx, "a", "+15550001111"))
    await scene.receive(SMS)
    await scene.database.write(lambda tx: report(tx, "b", "+15550002222"))
    await scene.receive(attrs.evolve(SMS, local_id="124"))
    assert [message.sim for message in await scene.stored()] == ["+15550001111", None]


# --- what an earlier version has stored


def plain(item: Received, device_id: str | None) -> bytes:
    """The fingerprint that earlier versions gave."""
    identity = [device_id, item.local_id, item.address, item.date, item.body]
    return hashlib.sha256(json.dumps(identity).encode()).digest()


@pytest.fixture
def upgraded() -> Iterator[Tables]:
    """An org of an earlier version that has SMS, of a named phone and of phone 1 without a name."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection, STEPS[:4])
    tables = Tables(connection)
    connection.execute("INSERT INTO orgs VALUES (1, 'myorg', 'hash', 5)")
    for device_id, phone in (("a", 7), (None, 1)):
        # As that version did it, which knew fewer columns.
        connection.execute(
            "INSERT INTO messages (org, direction, address, body, status, created_at, date, phone,"
            " sim_slot, sim, provider, fingerprint)"
            " VALUES (1, 'in', ?, ?, 'received', ?, ?, ?, 0, '+15550001111', 'phone', ?)",
            (SMS.address, SMS.body, NOW, SMS.date, phone, plain(SMS, device_id)),
        )
    assert migrate(connection)
    assert tables.counters.plain_fingerprints() == 2
    yield tables
    connection.close()


def test_a_repeat_across_the_upgrade_is_a_repeat(upgraded: Tables) -> None:
    receipt = receive(upgraded, 1, [SMS], phone=7, device_id="a", now=NOW, rate_limits=RateLimits())
    assert receipt == Receipt(stored=0, duplicates=1, ids=(1,))
    receipt = receive(
        upgraded, 1, [SMS], phone=1, device_id=None, now=NOW, rate_limits=RateLimits()
    )
    assert receipt == Receipt(stored=0, duplicates=1, ids=(2,))


@pytest.mark.parametrize(
    "change",
    [
        {"sim_slot": 1},
        {"sim_slot": None},
        {"sim": "+15550002222"},
        {"media_urls": ("https://example.com/image.jpg",)},
        {"local_id": "124"},
    ],
    ids=str,
)
def test_another_sms_across_the_upgrade_is_kept(upgraded: Tables, change: dict[str, Any]) -> None:
    other = attrs.evolve(SMS, **change)
    assert (
        receive(
            upgraded, 1, [other], phone=7, device_id="a", now=NOW, rate_limits=RateLimits()
        ).stored
        == 1
    )
    assert (
        receive(
            upgraded, 1, [other], phone=7, device_id="a", now=NOW, rate_limits=RateLimits()
        ).duplicates
        == 1
    )


@pytest.mark.parametrize(
    ("stored", "again"),
    [
        ({"date": 0}, {"date": 0}),
        ({"date": 0}, {"date": None}),
        ({"address": " BANK"}, {"address": " BANK"}),
        ({"address": "A\u00a0B "}, {"address": "A\u00a0B "}),
        ({"sim": "+1\u00a0555"}, {"sim": "+1\u00a0555"}),
        ({}, {"media_urls": ["https://example.com/image.jpg"]}),
        ({"address": " BANK", "date": 0}, {"address": " BANK", "date": 0}),
    ],
    ids=str,
)
def test_what_was_stored_as_it_came_is_known_again_once_it_is_put_right(
    upgraded: Tables, stored: dict[str, Any], again: dict[str, Any]
) -> None:
    # By /webhook, which knows no phone and kept no media.
    kept = attrs.evolve(SMS, **{"sim": "+15550001111", "sim_slot": None} | stored)
    new = NewInbound(
        org=1,
        address=kept.address,
        body=kept.body,
        created_at=NOW,
        date=kept.date,
        phone=None,
        sim_slot=None,
        sim=kept.sim,
        fingerprint=plain(kept, "w"),
    )
    number = upgraded.messages.insert_inbound(new)
    assert number is not None
    upgraded.messages._connection.execute(
        "UPDATE marks SET value = ? WHERE name = 'plain_fingerprints'", (number,)
    )
    entry = {
        "address": SMS.address,
        "body": SMS.body,
        "date": SMS.date,
        "id": SMS.local_id,
        "sim": "+15550001111",
        **again,
    }
    (item,) = read_received([entry], [])
    assert isinstance(item, Received)
    receipt = receive(
        upgraded, 1, [item], phone=None, device_id="w", now=NOW, rate_limits=RateLimits()
    )
    assert receipt == Receipt(stored=0, duplicates=1, ids=(number,))


def test_another_phone_across_the_upgrade_is_another(upgraded: Tables) -> None:
    assert (
        receive(
            upgraded, 1, [SMS], phone=2, device_id=None, now=NOW, rate_limits=RateLimits()
        ).stored
        == 1
    )


def test_a_new_file_looks_for_no_plain_fingerprints(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "new.db", isolation_level=None)) as connection:
        migrate(connection)
        assert Tables(connection).counters.plain_fingerprints() == 0


# --- what an org may store


async def test_an_org_that_has_stored_its_share_is_asked_to_keep_the_rest(scene: Scene) -> None:
    rate_limits = RateLimits(Bounds(org_bytes_per_day=2 * (EACH_BYTES + len(SMS.body))))
    full = attrs.evolve(scene, rate_limits=rate_limits)
    others = [attrs.evolve(SMS, local_id=str(n)) for n in range(3)]
    await full.receive(*others[:2])
    with pytest.raises(StorageSpent) as refused:
        await full.receive(others[2])
    assert refused.value.retry_after_s > 0
    # What is stored already takes no room.
    assert await full.receive(others[0]) == Receipt(stored=0, duplicates=1, ids=(1,))
    assert len(await full.stored()) == 2
    assert rate_limits.refused["org_bytes"] == 1


async def test_on_a_full_disk_the_owner_s_orgs_come_first(scene: Scene) -> None:
    low = RateLimits(disk_low_bytes=1 << 60)
    made = await scene.database.write(
        lambda tx: tx.orgs.add("self", "hash", NOW, self_made=True).id
    )
    await attrs.evolve(scene, rate_limits=low).receive(SMS)
    with pytest.raises(DiskLow):
        await Scene(scene.database, made, low).receive(SMS)
    assert await Scene(scene.database, made).stored() == []
    assert low.refused["disk_low"] == 1
    await scene.database.write(lambda tx: tx.orgs.remove("myorg"))
    # Now there is none to keep room for.
    await Scene(scene.database, made, low).receive(SMS)


async def test_an_org_that_made_itself_has_a_share_of_its_own(scene: Scene) -> None:
    rate_limits = RateLimits(Bounds(self_made_org_bytes_per_day=1, org_bytes_per_day=1 << 30))
    made = await scene.database.write(
        lambda tx: tx.orgs.add("self", "hash", NOW, self_made=True).id
    )
    itself = Scene(scene.database, made, rate_limits)
    await itself.receive(SMS)
    with pytest.raises(StorageSpent):
        await itself.receive(attrs.evolve(SMS, local_id="124"))
    for number in range(3):
        await attrs.evolve(scene, rate_limits=rate_limits).receive(
            attrs.evolve(SMS, local_id=str(number))
        )


# --- MMS

PICTURE = part("image/jpeg", "cat.jpg", b"\xff\xd8 a cat")
TEXT = part("text/plain", None, b"look")
MMS = attrs.evolve(SMS, parts=(PICTURE, TEXT))


async def parts_of(scene: Scene, message_id: int) -> list[Part | None]:
    def read(tx: Tables) -> list[Part | None]:
        message = tx.messages.find(scene.org, message_id)
        assert message is not None
        return [tx.media_parts.get(message_id, n + 1) for n in range(message.parts)]

    return await scene.database.read(read)


async def test_an_mms_keeps_its_parts_and_is_stored_once(scene: Scene) -> None:
    assert await scene.receive(MMS, MMS) == Receipt(stored=1, duplicates=1, ids=(1, 1))
    assert await parts_of(scene, 1) == [PICTURE, TEXT]
    (message,) = await scene.stored()
    assert (message.parts, message.error) == (2, None)


@pytest.mark.parametrize(
    "parts",
    [
        (),
        (PICTURE,),
        (PICTURE, part("text/plain", None, b"lock")),
        (PICTURE, part("text/plain", "a.txt", b"look")),
        (PICTURE, part("text/vcard", None, b"look")),
    ],
    ids=range(5),
)
async def test_what_differs_in_its_parts_is_another_message(
    scene: Scene, parts: tuple[Part, ...]
) -> None:
    receipt = await scene.receive(MMS, attrs.evolve(MMS, parts=parts))
    assert receipt == Receipt(stored=2, duplicates=0, ids=(1, 2))


async def test_the_order_of_parts_makes_no_other_message(scene: Scene) -> None:
    assert (await scene.receive(MMS, attrs.evolve(MMS, parts=(TEXT, PICTURE)))).duplicates == 1


def test_a_message_without_parts_has_the_fingerprint_that_it_always_had() -> None:
    identity = ["a", 0, None, "123", SMS.address, NOW, "hello", None]
    expected = hashlib.sha256(json.dumps(identity).encode()).digest()
    assert fingerprint_of(SMS, "a") == expected != fingerprint_of(MMS, "a")


async def test_a_part_that_is_too_large_is_left_out_and_the_message_kept(scene: Scene) -> None:
    most = part("image/png", None, b"x" * MAX_PART_BYTES)
    video = part("video/mp4", "secret name.mp4", b"x" * (MAX_PART_BYTES + 1))
    mms = attrs.evolve(SMS, parts=(most, video, TEXT))
    for receipt in (await scene.receive(mms), await scene.receive(mms)):
        assert (receipt.ids, receipt.left_out) == ((1,), 1)
    assert await parts_of(scene, 1) == [most, TEXT]
    (message,) = await scene.stored()
    assert message.body == "hello"
    assert message.error is not None
    assert "video/mp4 (2,097,153 bytes)" in message.error
    assert "secret name" not in message.error


async def test_an_mms_that_comes_piece_by_piece_is_one_message(scene: Scene) -> None:
    first = Received(address="+1555", body="", date=NOW, mms="T1")
    whole = attrs.evolve(first, body="words to find", date=NOW + 9, parts=(PICTURE,))
    assert await scene.receive(first) == Receipt(stored=1, duplicates=0, ids=(1,))
    # Before and after the index of words has it.
    await scene.database.write(lambda tx: tx.word_index.add_missing(10))
    again = Receipt(stored=0, duplicates=1, ids=(1,))
    for piece in (whole, whole, first, attrs.evolve(whole, parts=(TEXT, PICTURE), body="other")):
        assert await scene.receive(piece) == again
    assert await parts_of(scene, 1) == [PICTURE, TEXT]
    (message,) = await scene.stored()
    assert (message.body, message.date, message.parts, message.segments) == (
        "words to find\nother",
        NOW,
        2,
        1,
    )
    assert (await scene.receive(attrs.evolve(first, mms="T2"))).stored == 1
    assert (await scene.receive(first, device_id="another")).stored == 1

    def found(tx: Tables) -> list[int]:
        return [one.id for one in tx.messages.page(scene.org, PageQuery(search="find"))]

    assert await scene.database.read(found) == [1]
    # What is taken out of the index must be what is in it.
    await scene.database.write(lambda tx: tx.message_removal.erase([1], lambda _: True))
    assert await scene.database.read(found) == []


async def test_a_piece_that_is_too_large_is_said_each_time(scene: Scene) -> None:
    first = Received(address="+1555", body="", mms="T1")
    await scene.receive(first)
    whole = attrs.evolve(first, parts=(part("video/mp4", None, b"x" * (MAX_PART_BYTES + 1)),))
    for _ in range(2):
        assert (await scene.receive(whole)).left_out == 1
    (message,) = await scene.stored()
    assert message.error is not None
    assert message.parts == 0


async def test_pieces_together_are_bounded_as_one_report_is(scene: Scene) -> None:
    pictures = [part("image/png", str(n), b"x" * MAX_PART_BYTES) for n in range(5)]
    piece = Received(address="+1555", body="", mms="T1")
    for at, picture in enumerate(pictures):
        receipt = await scene.receive(attrs.evolve(piece, parts=(picture,)))
        assert receipt.left_out == (1 if at == MAX_MMS_BYTES // MAX_PART_BYTES else 0)
    assert await parts_of(scene, 1) == pictures[:4]


async def test_parts_count_in_what_an_org_may_store(scene: Scene) -> None:
    rate_limits = RateLimits(Bounds(org_bytes_per_day=100_000))
    scene = attrs.evolve(scene, rate_limits=rate_limits)
    large = part("image/png", None, b"x" * 98_000)
    await scene.receive(attrs.evolve(SMS, parts=(large,)))
    with pytest.raises(StorageSpent):
        await scene.receive(attrs.evolve(SMS, local_id="124", parts=(PICTURE, large)))
    piece = Received(address="+1555", body="", mms="T1")
    await scene.receive(piece)
    with pytest.raises(StorageSpent):
        await scene.receive(attrs.evolve(piece, parts=(large,)))
    assert [message.parts for message in await scene.stored()] == [1, 0]
    assert await scene.database.read(lambda tx: tx.media_parts.bytes_of(2)) == 0
