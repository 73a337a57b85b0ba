"""Parts of MMS: which are kept, and as what they are given out."""

import unicodedata
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.domain.media import ENDINGS, UNKNOWN, Media, file, part, remark, select
from phonegate.model.bounds import MAX_PART_BYTES, MAX_PARTS
from phonegate.model.media import Part
from phonegate.model.orgs import ApiKey, KeyLimits
from phonegate.model.principal import Principal
from phonegate.model.refusals import Forbidden, NotFound
from phonegate.store.database import Database
from phonegate.store.tables import Tables
from tests.domain.callers import limited, owner
from tests.store.conftest import inbound, outbound

FRIEND = "+15553334444"


@pytest.mark.parametrize(
    ("declared", "kept"),
    [
        ("image/jpeg", "image/jpeg"),
        (" Image/JPEG ; name=cat.jpg", "image/jpeg"),
        ("text/html", "text/html"),
        ("application/vnd.wap.multipart.related", "application/vnd.wap.multipart.related"),
        (None, UNKNOWN),
        ("", UNKNOWN),
        ("jpeg", UNKNOWN),
        ("image/jp\neg", UNKNOWN),
        ("image/" + "x" * 80, UNKNOWN),
    ],
)
def test_a_declared_type_is_put_right(declared: str | None, kept: str) -> None:
    assert part(declared, None, b"").content_type == kept


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("cat.jpg", "cat.jpg"),
        ("../../etc/passwd", "passwd"),
        ("C:\\pictures\\cat.jpg", "cat.jpg"),
        ("a\r\nSet-Cookie: b", "a Set-Cookie: b"),
        ("/", None),
        ("", None),
        (None, None),
        ("x" * 500, "x" * 128),
    ],
)
def test_a_name_is_that_of_a_file_in_one_line(name: str | None, kept: str | None) -> None:
    assert part("image/jpeg", name, b"").name == kept


@pytest.mark.parametrize(
    ("content_type", "name", "shown", "saved_as"),
    [
        ("image/jpeg", "cat.JPG", "image/jpeg", "cat.JPG"),
        ("image/jpeg", None, "image/jpeg", "7-2.jpg"),
        ("image/jpeg", "page.html", "image/jpeg", "page.html.jpg"),
        ("text/html", "page.html", UNKNOWN, "page.html.bin"),
        ("image/svg+xml", "drawing.svg", UNKNOWN, "drawing.svg.bin"),
        ("application/smil", None, UNKNOWN, "7-2.bin"),
        ("text/plain", "note", "text/plain", "note.txt"),
    ],
)
def test_only_common_media_are_given_out_as_what_they_are(
    content_type: str, name: str | None, shown: str, saved_as: str
) -> None:
    found = file(7, 2, Part(content_type=content_type, name=name, data=b"x"))
    assert (found.content_type, found.name, found.data) == (shown, saved_as, b"x")


@given(st.text(), st.text())
def test_whatever_a_phone_declares_is_never_given_out_as_a_page(declared: str, name: str) -> None:
    found = file(1, 1, part(declared, name, b""))
    assert found.content_type in ENDINGS
    assert found.name.lower().endswith(ENDINGS[found.content_type])
    assert not any(unicodedata.category(char) in {"Cc", "Cs"} for char in found.name)
    assert "/" not in found.name


parts = st.builds(
    Part,
    content_type=st.sampled_from(["image/png", "text/plain"]),
    name=st.sampled_from([None, "a"]),
    data=st.binary(max_size=2),
)


@given(st.lists(parts, max_size=40), st.lists(parts, max_size=40))
def test_parts_are_kept_once_whatever_is_repeated(first: list[Part], more: list[Part]) -> None:
    kept, beyond = select(first)
    stored = {one.digest for one in kept}
    assert len(stored) == len(kept) <= MAX_PARTS
    assert {one.digest for one in (*kept, *beyond)} == {one.digest for one in first}
    assert select(first, stored) == ([], beyond)
    added, _ = select(more, stored)
    assert len(stored | {one.digest for one in added}) == len(kept) + len(added) <= MAX_PARTS


def test_all_parts_of_a_message_together_are_bounded_too() -> None:
    large = [part("image/png", str(n), b"x" * MAX_PART_BYTES) for n in range(6)]
    small = part("text/plain", None, b"x")
    assert select([*large, small]) == (large[:4], [*large[4:], small])
    stored = {one.digest for one in large[:3]}
    few = [large[3], small]
    assert select([*large, small], stored, 3 * MAX_PART_BYTES - 1) == (few, large[4:])


def test_a_remark_names_what_was_left_out() -> None:
    large = part("video/mp4", "private.mp4", b"x" * (MAX_PART_BYTES + 1))
    assert remark([]) is None
    said = remark([large] * 5)
    assert said is not None
    assert said.count("video/mp4 (2,097,153 bytes)") == 3
    assert "2 more" in said
    assert "private" not in said


# --- reading


@attrs.frozen
class Scene:
    media: Media
    org: int

    async def read(self, reader: Principal, number: int, message: int = 1) -> tuple[str, bytes]:
        found = await self.media.file(reader, message, number)
        return found.name, found.data


@pytest.fixture
async def scene(database: Database) -> Scene:
    org = (await database.write(lambda tx: tx.orgs.add("myorg", "hash", 1))).id
    sent = (
        part("text/plain", "493021.txt", b"Your code is 493021"),
        part("image/png", "493021.png", b"a picture"),
        part("text/plain", None, "Your code is 493021".encode("utf-16-le")),
        part("text/vcard", None, b"NOTE:Your code is 493021"),
        part("application/pdf", None, b"%PDF"),
    )

    def store(tx: Tables) -> None:
        new = inbound(org, "look", address=FRIEND, parts=len(sent))
        assert tx.messages.insert_inbound(new) == 1
        tx.media_parts.add(1, 1, sent)

    await database.write(store)
    return Scene(Media(database), org)


async def test_parts_are_read_by_whoever_may_read_their_message(scene: Scene) -> None:
    for reader in (owner(scene.org), limited(scene.org, sees=(FRIEND,))):
        assert await scene.read(reader, 2) == ("493021.png", b"a picture")
        assert await scene.read(reader, 1) == ("493021.txt", b"Your code is 493021")


@pytest.mark.parametrize(("message", "number"), [(1, 6), (2, 1), (1, 2**63 - 1)])
async def test_what_is_not_there_is_not_found(scene: Scene, message: int, number: int) -> None:
    with pytest.raises(NotFound):
        await scene.read(owner(scene.org), number, message)


async def test_parts_of_messages_that_a_reader_does_not_see_are_not_there(scene: Scene) -> None:
    for reader in (owner(scene.org + 1), limited(scene.org, sees=("+1555000*",))):
        with pytest.raises(NotFound):
            await scene.read(reader, 1)


async def test_codes_are_hidden_in_parts_too(scene: Scene) -> None:
    key = limited(scene.org, codes_hidden=True)
    assert await scene.read(key, 1) == ("1-1.txt", b"Your code is ******")
    assert await scene.read(key, 2) == ("1-2.png", b"a picture")
    for number in (3, 4, 5):
        with pytest.raises(Forbidden):
            await scene.read(key, number)


# --- taken along by a message that is sent


async def attach(scene: Scene, database: Database, number: int, **key: Any) -> str:
    """The name of the part that a message takes along, which a key with these fields sent."""

    def send(tx: Tables) -> int:
        if key:
            known = ApiKey(
                id="key1", org=scene.org, org_name="", name="k", digest=b"d", created_at=1, **key
            )
            tx.keys.add(known)
        return tx.messages.insert(outbound(scene.org, key="key1" if key else None))

    sent = await database.write(send)
    return (await scene.media.attachment(scene.org, sent, 1, number)).name


async def test_a_message_takes_along_what_its_sender_may_read(
    scene: Scene, database: Database
) -> None:
    assert await attach(scene, database, 2) == "493021.png"
    with pytest.raises(NotFound):
        await attach(scene, database, 6)
    seen = KeyLimits(codes_hidden=True)
    assert await attach(scene, database, 2, scopes=("send", "read"), limits=seen) == "1-2.png"


@pytest.mark.parametrize(
    ("scopes", "limits", "refusal"),
    [
        (("send",), None, Forbidden),
        (("send", "read"), KeyLimits(sees=("+1555000*",)), NotFound),
    ],
)
async def test_a_message_takes_along_nothing_that_its_sender_may_not_read(
    scene: Scene,
    database: Database,
    scopes: tuple[str, ...],
    limits: KeyLimits | None,
    refusal: type[Exception],
) -> None:
    with pytest.raises(refusal):
        await attach(scene, database, 1, scopes=scopes, limits=limits)


async def test_a_message_of_a_revoked_key_takes_nothing_along(
    scene: Scene, database: Database
) -> None:
    sent = await database.write(lambda tx: tx.messages.insert(outbound(scene.org, key="gone")))
    with pytest.raises(Forbidden):
        await scene.media.attachment(scene.org, sent, 1, 2)


async def test_a_part_of_another_org_is_not_there(scene: Scene, database: Database) -> None:
    def send(tx: Tables) -> tuple[int, int]:
        other = tx.orgs.add("other", "hash", 1).id
        return other, tx.messages.insert(outbound(other))

    other, sent = await database.write(send)
    with pytest.raises(NotFound):
        await scene.media.attachment(other, sent, 1, 2)
