import itertools
import json
import sqlite3
from fnmatch import fnmatchcase
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phonegate.model.messages import ADDRESS_BYTES, ROW_BYTES, Message, MessageView, PageQuery
from phonegate.model.orgs import Org
from phonegate.store import page_sql, pages, search
from phonegate.store.rows import SELECTED, message
from phonegate.store.tables import Tables
from tests.store.conftest import bring, inbound, memory, outbound

ADDRESSES = ("+1555", "+1556", "BANK")
SIMS = (None, "+1", "+2")
SLOTS = (None, 0, 1)
STATUSES = ("queued", "sending", "sent", "delivered", "failed", "uncertain")
BODIES = ("hello world", "Your code: 1234", "Héllo wörld code", "", "code", "hell of a code 12")
SEARCHES = (
    "hel*",
    "HELLO",
    "wor hello",
    "code 1*",
    "c*",
    "nothing",
    "!",
    'code" OR *',
    "wörld héllo",
)

FILTERS: dict[str, Any] = {
    "since_id": 5,
    "before_id": 10,
    "direction": "out",
    "status": "failed",
    "address": "+1555",
    "sim": "+1",
    "approval": True,
    "key": "k3v9",
}


# -- plans


def _plan(connection: sqlite3.Connection, query: PageQuery) -> list[str]:
    shape = page_sql.shape(query)
    assert shape is not None
    text = f"EXPLAIN QUERY PLAN {page_sql.sql(shape)}"
    return [row[3] for row in connection.execute(text, page_sql.values(1, query))]


def _every_combination() -> list[PageQuery]:
    names = list(FILTERS)
    queries = []
    for count in range(len(names) + 1):
        for chosen in itertools.combinations(names, count):
            given_ = {name: FILTERS[name] for name in chosen}
            for status, sim in itertools.product(("failed", "sent"), ("+1", "0")):
                if "status" in given_:
                    # What waits for approval is queued.
                    given_["status"] = "queued" if "approval" in given_ else status
                if "sim" in given_:
                    given_["sim"] = sim
                queries.append(PageQuery(**given_))
    return list(dict.fromkeys(queries))


def test_every_combination_of_filters_walks_an_index_in_order(
    connection: sqlite3.Connection,
) -> None:
    for query in _every_combination():
        plan = _plan(connection, query)
        searches = [step for step in plan if step.startswith("SEARCH messages")]
        assert searches, (query, plan)
        for step in plan:
            assert "TEMP B-TREE" not in step, (query, plan)
            assert not step.startswith("SCAN"), (query, plan)
        for step in searches:
            # Never a whole org: something of the query narrows it, where there is something.
            if query.approval:
                assert "USING INDEX messages_to_approve (org=?" in step, (query, plan)
            else:
                assert "USING INDEX messages_by_" in step, (query, plan)
                assert "(org=? AND " in step, (query, plan)
            if query.since_id is not None:
                assert "rowid>?" in step, (query, plan)
            if query.before_id is not None:
                assert "rowid<?" in step, (query, plan)


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (PageQuery(), "messages_by_org (org=? AND direction=?)"),
        (PageQuery(direction="in"), "messages_by_org (org=? AND direction=?)"),
        (PageQuery(status="failed"), "messages_by_status (org=? AND status=?)"),
        (PageQuery(status="failed", direction="out"), "messages_by_status (org=? AND status=?)"),
        (PageQuery(status="failed", sim="+1"), "messages_by_status (org=? AND status=?)"),
        (
            PageQuery(status="sent", sim="+1"),
            "messages_by_sim (org=? AND sim=? AND direction=?)",
        ),
        (PageQuery(sim="+1"), "messages_by_sim (org=? AND sim=? AND direction=?)"),
        (
            PageQuery(sim="1", direction="in"),
            "messages_by_slot (org=? AND sim_slot=? AND direction=?)",
        ),
        (
            PageQuery(address="+1555", sim="+1", status="failed"),
            "messages_by_address (org=? AND address=? AND direction=?)",
        ),
    ],
)
def test_the_rarest_filter_chooses_the_index(
    connection: sqlite3.Connection, query: PageQuery, index: str
) -> None:
    assert any(step.endswith(index) for step in _plan(connection, query))


def test_search_walks_the_words_in_order(connection: sqlite3.Connection) -> None:
    for newest, checks in itertools.product((True, False), ((), ("status", "sim", "address"))):
        text = f"EXPLAIN QUERY PLAN {page_sql.search_sql(checks, newest)}"
        values = dict.fromkeys(("org", "since_id", "before_id", "limit", *checks), 1)
        plan = [row[3] for row in connection.execute(text, values | {"words": "x"})]
        assert plan[0].startswith("SCAN words VIRTUAL TABLE INDEX"), plan
        assert plan[1] == "SEARCH m USING INTEGER PRIMARY KEY (rowid=?)", plan
        assert len(plan) == 2, plan


def test_texts_are_few(connection: sqlite3.Connection) -> None:
    # Statements stay prepared only while their texts stay the same.
    texts = set()
    for query in _every_combination():
        for changed in (query, attrs.evolve(query, limit=7)):
            shape = page_sql.shape(changed)
            assert shape is not None
            texts.add(page_sql.sql(shape))
    assert len(texts) < 200


# -- answers


def _naive(rows: list[Message], org: int, query: PageQuery) -> list[Message]:
    asked = None if query.search is None else search.terms(query.search)

    def fits(row: Message) -> bool:
        sim = str(row.sim_slot) if query.sim in {"0", "1"} else row.sim
        body = row.body if query.shown is None else query.shown(row.address, row.body)
        return (
            row.org == org
            and (query.since_id is None or row.id > query.since_id)
            and (query.before_id is None or row.id < query.before_id)
            and query.direction in {None, row.direction}
            and query.status in {None, row.status}
            and query.address in {None, row.address}
            and query.sim in {None, sim}
            and query.key in {None, row.key}
            and (query.sees == () or any(fnmatchcase(row.address, p) for p in query.sees))
            and (not query.approval or (row.status, row.approval) == ("queued", "asked"))
            and (query.search is None or (asked is not None and search.matches(body, asked)))
        )

    found = [row for row in rows if fits(row)]
    return found[: query.limit] if query.since_id is not None else found[-query.limit :]


def _insert(tables: Tables, org: int, row: tuple[Any, ...]) -> None:
    direction, address, body, sim, slot, status, approval, key = row
    if direction == "in":
        tables.messages.insert_inbound(inbound(org, body, address=address, sim=sim, sim_slot=slot))
    else:
        number = tables.messages.insert(
            outbound(org, body, address=address, sim=sim, sim_slot=slot, key=key)
        )
        bring(tables, number, status, approval=approval)


ROWS = st.tuples(
    st.sampled_from(("in", "out")),
    st.sampled_from(ADDRESSES),
    st.sampled_from(BODIES),
    st.sampled_from(SIMS),
    st.sampled_from(SLOTS),
    st.sampled_from(STATUSES),
    st.sampled_from((None, "asked", "given")),
    st.sampled_from((None, "k3v9", "other")),
)
QUERIES = st.builds(
    PageQuery,
    limit=st.integers(1, 12),
    since_id=st.none() | st.integers(-1, 45),
    before_id=st.none() | st.integers(0, 45),
    direction=st.sampled_from((None, None, "in", "out")),
    status=st.sampled_from((None, None, "received", *STATUSES)),
    address=st.sampled_from((None, None, *ADDRESSES, "+1")),
    sim=st.sampled_from((None, None, "+1", "+2", "0", "1", "+3")),
    approval=st.sampled_from((False, False, True)),
    key=st.sampled_from((None, None, None, "k3v9", "nosuch")),
    search=st.sampled_from((None, None, *SEARCHES)),
    sees=st.sampled_from(((), (), ("+1555*",), ("+1555",), ("+1555", "+2*"), ("+*",), ("9*",))),
    shown=st.sampled_from((None, None, lambda _, body: body.replace("code", "").upper())),
)


@settings(deadline=None, max_examples=150)
@given(
    rows=st.lists(st.tuples(st.booleans(), ROWS), max_size=40),
    indexed=st.integers(0, 45),
    bits=st.sampled_from((2, 17)),
    many=st.sampled_from((1, 200)),
    queries=st.lists(QUERIES, min_size=1, max_size=8),
)
def test_a_page_is_what_a_plain_filter_gives(
    rows: list[tuple[bool, Any]], indexed: int, bits: int, many: int, queries: list[PageQuery]
) -> None:
    connection = memory()
    tables = Tables(connection)
    ours = tables.orgs.add("ours", "hash", 1).id
    theirs = tables.orgs.add("theirs", "hash", 1).id
    usual = search.BUCKET_BITS, pages.MANY_SEEN
    search.BUCKET_BITS, pages.MANY_SEEN = bits, many  # type: ignore[misc]
    try:
        for mine, row in rows:
            _insert(tables, ours if mine else theirs, row)
        if indexed:
            tables.word_index.add_missing(indexed)
        stored = connection.execute(f"SELECT {SELECTED} FROM messages ORDER BY id")
        everything = [message(row) for row in stored]
        for query in queries:
            for org in (ours, theirs):
                expected = _naive(everything, org, query)
                assert tables.messages.page(org, query) == expected, query
                seen = [tuple(getattr(one, n) for n in MessageView._fields) for one in expected]
                assert tables.messages.views(org, query) == seen, query
                if query.search is None and not query.sees:
                    shown = tables.messages.shown_rows(org, query)
                    assert [row[0] for row in shown] == [one.id for one in expected], query
    finally:
        search.BUCKET_BITS, pages.MANY_SEEN = usual  # type: ignore[misc]
        connection.close()


@pytest.mark.parametrize(
    "text",
    [
        '"',
        "'",
        "*",
        "a AND",
        "NOT",
        "OR OR",
        "NEAR(a b)",
        "tokens: x",
        "-x",
        "^x",
        "(",
        "{a b}: c",
        "a + b",
        "\0",
        "x" * 5000,
        "a " * 5000,
        "\ud800",
        "1b0xhello",
        "%",
        "hello\x00world",
    ],
)
@pytest.mark.parametrize("indexed", [10, 0])
def test_no_search_is_a_syntax_error(tables: Tables, org: Org, text: str, indexed: int) -> None:
    tables.messages.insert(outbound(org.id, "hello"))
    if indexed:
        tables.word_index.add_missing(indexed)
    for bounds in ({}, {"since_id": 0}):
        found = tables.messages.page(org.id, PageQuery(search=text, **bounds))  # type: ignore[arg-type]
        assert found == []


@given(st.text(max_size=30))
def test_a_body_is_found_by_each_of_its_words(text: str) -> None:
    body = text.encode("utf-8", "ignore").decode()
    connection = memory()
    tables = Tables(connection)
    org = tables.orgs.add("ours", "hash", 1).id
    tables.messages.insert(outbound(org, body))
    tables.word_index.add_missing(10)
    for word in search.words(body):
        for asked in (word, word[:1] + "*", word.upper()):
            terms = search.terms(asked)
            if terms is not None and search.matches(body, terms):
                assert tables.messages.page(org, PageQuery(search=asked)), (body, asked)
        assert tables.messages.page(org, PageQuery(search=word))
    connection.close()


def test_search_never_shows_another_orgs_words(tables: Tables, org: Org, other: Org) -> None:
    # A body that spells what the index holds for the other org.
    tables.messages.insert(outbound(org.id, f"{other.id}b0xsecret _{other.id}b0xsecret"))
    tables.messages.insert(outbound(other.id, "secret"))
    tables.word_index.add_missing(10)
    assert [m.org for m in tables.messages.page(other.id, PageQuery(search="secret"))] == [other.id]
    assert tables.messages.page(org.id, PageQuery(search="secret")) == []


def test_a_contradiction_is_an_empty_page(tables: Tables, org: Org) -> None:
    tables.messages.insert_inbound(inbound(org.id))
    assert tables.messages.page(org.id, PageQuery(direction="in", status="queued")) == []
    assert tables.messages.page(org.id, PageQuery(direction="out", status="received")) == []
    assert tables.messages.page(org.id, PageQuery(direction="in", status="received")) != []


@pytest.mark.parametrize("number", [2**63 - 1, 2**63, 10**30])
@pytest.mark.parametrize("search_", [None, "hello"])
def test_ids_of_any_size(tables: Tables, org: Org, number: int, search_: str | None) -> None:
    tables.messages.insert_inbound(inbound(org.id))
    tables.word_index.add_missing(10)
    page = tables.messages.page
    assert page(org.id, PageQuery(since_id=number, search=search_)) == []
    assert len(page(org.id, PageQuery(before_id=number, search=search_))) == 1
    assert len(page(org.id, PageQuery(since_id=-number, search=search_))) == 1
    assert page(org.id, PageQuery(before_id=-number, search=search_)) == []
    assert page(org.id, PageQuery(sim=str(number), search=search_)) == []


def test_a_filter_that_no_text_can_equal_finds_nothing(tables: Tables, org: Org) -> None:
    tables.messages.insert_inbound(inbound(org.id))
    for search_ in (None, "hello"):
        assert tables.messages.page(org.id, PageQuery(address="\ud800", search=search_)) == []


def _steps(connection: sqlite3.Connection, tables: Tables, org: int, query: PageQuery) -> int:
    """How many steps of SQLite's a page takes: the same on every machine."""
    count = 0

    def step() -> int:
        nonlocal count
        count += 1
        return 0

    connection.set_progress_handler(step, 1)
    try:
        tables.messages.page(org, query)
    finally:
        connection.set_progress_handler(None, 0)
    return count


def test_cost_does_not_grow_with_what_is_stored(
    tables: Tables, connection: sqlite3.Connection, org: Org, other: Org
) -> None:
    def fill(count: int) -> None:
        connection.execute("BEGIN")
        for number in range(count):
            of = org.id if number % 3 == 0 else other.id
            tables.messages.insert(outbound(of, f"hello code {number}", sim="+1", sim_slot=0))
        while not tables.word_index.add_missing(5000)[1]:
            pass
        connection.execute("COMMIT")

    rare = tables.messages.insert(
        outbound(org.id, "hello rare", address="+999", sim="+9", key="k3v9")
    )
    bring(tables, rare, "failed")
    queries = [
        PageQuery(limit=10, **which)
        for which in (
            {},
            {"direction": "out"},
            {"direction": "in"},
            {"status": "failed"},
            {"status": "failed", "sim": "+1"},
            {"status": "failed", "sim": "+9"},
            {"address": "+999"},
            {"address": "+999", "sim": "0"},
            {"sim": "+9"},
            {"sim": "+1", "direction": "in"},
            {"search": "hello"},
            {"search": "rare"},
            {"search": "hello", "address": "+999"},
            {"search": "hello", "status": "failed"},
            {"search": "hello", "direction": "in"},
            {"since_id": 0, "search": "hello rare"},
            {"key": "k3v9"},
            {"sees": ("+999",)},
            {"sees": ("+99*", "+998")},
            {"sees": ("+99*",), "status": "failed"},
            {"sees": ("+99*",), "since_id": 0},
            {"sees": ("+99*",), "search": "hello"},
            {"sees": ("+99*",), "address": "+15553334444"},
        )
    ]
    fill(1000)
    before = [_steps(connection, tables, org.id, query) for query in queries]
    fill(10_000)
    after = [_steps(connection, tables, org.id, query) for query in queries]
    for query, few, many in zip(queries, before, after, strict=True):
        assert many <= few * 1.5 + 100, query


# -- long texts


@pytest.mark.parametrize("words", [None, "long", "lo*"])
@pytest.mark.parametrize("indexed", [False, True])
def test_a_page_of_long_texts_ends_early_and_the_next_one_goes_on(
    tables: Tables, org: Org, monkeypatch: pytest.MonkeyPatch, words: str | None, *, indexed: bool
) -> None:
    most = 2 * (ROW_BYTES + 60)
    monkeypatch.setattr(pages, "_FEW", 0)  # so that the index of words is asked
    numbers = [
        tables.messages.insert_inbound(inbound(org.id, body="long " * 12, date=date))
        for date in range(5)
    ]
    if indexed:
        tables.word_index.add_missing(10)

    def ids(**query: Any) -> list[int]:
        page = tables.messages.page(org.id, PageQuery(search=words, most_bytes=most, **query))
        return [found.id for found in page]

    assert ids() == numbers[3:]
    assert ids(before_id=numbers[3]) == numbers[1:3]
    assert ids(since_id=0) == numbers[:2]
    assert ids(since_id=numbers[1]) == numbers[2:4]
    most = 1
    assert ids(since_id=numbers[3]) == numbers[4:]  # never an empty page where something is


@settings(deadline=None, max_examples=60)
@given(
    bodies=st.lists(
        st.tuples(
            st.sampled_from(("in", "out")), st.sampled_from(("+1555", "+1556", "+2"))
        ).flatmap(lambda who: st.integers(0, 40).map(lambda n: (*who, f"long {'x ' * n}"))),
        min_size=1,
        max_size=40,
    ),
    indexed=st.integers(0, 45),
    few=st.sampled_from((0, 3, 200)),
    many=st.sampled_from((1, 200)),
    most=st.sampled_from((1, 2 * ROW_BYTES + 60, 5 * ROW_BYTES)),
    query=st.builds(
        PageQuery,
        limit=st.sampled_from((1, 3, 100)),
        search=st.sampled_from((None, "long", "lo*", "long x")),
        direction=st.sampled_from((None, None, "in")),
        address=st.sampled_from((None, None, "+1555")),
        sees=st.sampled_from(((), ("+1*",), ("+1555", "+2*"))),
        shown=st.sampled_from((None, lambda _, body: body.replace("x x x", ""))),
    ),
)
def test_pages_one_after_the_other_are_all_that_matches(
    bodies: list[tuple[str, str, str]],
    indexed: int,
    few: int,
    many: int,
    most: int,
    query: PageQuery,
) -> None:
    connection = memory()
    tables = Tables(connection)
    org = tables.orgs.add("ours", "hash", 1).id
    query = attrs.evolve(query, most_bytes=most)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "BUCKET_BITS", 2)
        patch.setattr(pages, "_FEW", few)
        patch.setattr(pages, "MANY_SEEN", many)
        for date, (direction, address, body) in enumerate(bodies):
            if direction == "in":
                tables.messages.insert_inbound(inbound(org, body, address=address, date=date))
            else:
                tables.messages.insert(outbound(org, body, address=address))
        if indexed:
            tables.word_index.add_missing(indexed)
        stored = connection.execute(f"SELECT {SELECTED} FROM messages ORDER BY id")
        everything = [message(row) for row in stored]
        expected = [one.id for one in _naive(everything, org, attrs.evolve(query, limit=100))]
        polled: list[int] = []
        while page := tables.messages.page(
            org, attrs.evolve(query, since_id=polled[-1] if polled else 0)
        ):
            polled += [one.id for one in page]
        assert polled == expected
        back: list[int] = []
        while page := tables.messages.page(
            org, attrs.evolve(query, before_id=back[0] if back else None)
        ):
            back = [one.id for one in page] + back
        assert back == expected
    connection.close()


@pytest.mark.parametrize("words", ["long", "lo*"])
def test_of_what_the_index_lacks_no_more_is_read_than_a_page_has(
    tables: Tables, org: Org, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    for date in range(50):
        tables.messages.insert_inbound(inbound(org.id, body="long " * 12, date=date))
    looked: list[str] = []

    def matches(body: str, asked: search.Terms) -> bool:
        looked.append(body)
        return True

    monkeypatch.setattr(search, "matches", matches)
    for query in (
        PageQuery(search=words, limit=2),
        PageQuery(search=words, limit=2, since_id=0),
        PageQuery(search=words, limit=50, most_bytes=1),
    ):
        looked.clear()
        tables.messages.page(org.id, query)
        assert len(looked) <= 3


def test_a_view_has_the_media_of_its_message_and_shows_no_text(tables: Tables, org: Org) -> None:
    urls = ("https://media.example/1", "https://media.example/2")
    tables.messages.insert_inbound(inbound(org.id, "a private text", media_urls=urls))
    (shown,) = tables.messages.views(org.id, PageQuery())
    assert shown.media_urls == urls
    assert shown.body == "a private text"
    assert "private" not in repr(shown)
    assert shown.address not in repr(shown)


def test_the_addresses_of_parts_count_in_a_page(tables: Tables, org: Org) -> None:
    for date in range(4):
        tables.messages.insert_inbound(inbound(org.id, "x", date=date, parts=20))
    each = ROW_BYTES + 1 + 20 * ADDRESS_BYTES
    assert len(tables.messages.views(org.id, PageQuery(most_bytes=3 * each))) == 3
    assert len(tables.messages.views(org.id, PageQuery(most_bytes=3 * each - 1))) == 2


@pytest.mark.parametrize(
    ("body", "size"),
    [("x" * 900, 900), ("\u4e2d" * 900, 2_700), ("\x01" * 900, 5_400), ("\n" * 900, 1_800)],
    ids=["ascii", "han", "control", "lines"],
)
def test_a_page_is_bounded_by_what_it_has_as_json(
    tables: Tables, org: Org, body: str, size: int
) -> None:
    urls = ("https://media.example/" + "u" * 500,)
    for date in range(12):
        tables.messages.insert_inbound(inbound(org.id, body=body, date=date, media_urls=urls))
    each = ROW_BYTES + size + len(urls[0])
    for most in (10 * each + 200, 10 * each + each - 400):
        page = tables.messages.views(org.id, PageQuery(most_bytes=most))
        assert len(page) == 10
    text = json.dumps([one._asdict() for one in page], ensure_ascii=False)
    assert len(text.encode()) <= most


@given(
    texts=st.lists(st.text(max_size=12) | st.integers(0, 90).map("x".__mul__), max_size=12),
    odd=st.integers(0, 12),
    most=st.integers(1, 12 * ROW_BYTES),
)
def test_what_surely_fits_ends_no_page_elsewhere(texts: list[str], odd: int, most: int) -> None:
    base = dict.fromkeys(MessageView._fields) | {"parts": 0}
    found = [MessageView(**base | {"body": text}) for text in texts]  # type: ignore[arg-type]
    if odd < len(found):
        found[odd] = found[odd]._replace(error="é" * 40, parts=1, media_urls=("u" * 9,))
    sums = list(itertools.accumulate(map(pages._bytes_of, found)))
    fitting = max(1, sum(one <= most for one in sums))
    assert pages._bounded(found, PageQuery(most_bytes=most)) == found[:fitting]
