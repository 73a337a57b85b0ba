import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.api.convert import Converter
from phonegate.typed_json.fields import field
from phonegate.typed_json.rules import OneOf
from phonegate.typed_json.writer import JsonWriter, Source


@attrs.frozen(kw_only=True)
class Inner:
    number: int | None = field("number")
    text: str = field("text", default="plain", omit=True)


@attrs.frozen(kw_only=True)
class Outer:
    ok: bool = field("ok")
    id: int = field("id")
    way: Literal["in", "out"] = field("way")
    state: Annotated[str, OneOf(("a", "b"))] | None = field("state")
    body: str = field("body")
    inner: Inner = field("inner")
    perhaps: Inner | None = field("perhaps", default=None, omit=True)
    many: tuple[Inner, ...] = field("many")
    names: tuple[str, ...] | None = field("names")
    masked: Mapping[str, str] = field("masked")
    free: Any = field("free")


TEXTS = st.text(st.characters(codec="utf-8"), max_size=8) | st.sampled_from(
    ["'''", '"""', "{}", "{it}", "\\", "\x00\x1f\x7f", "\u2028\u2029", "😀"]
)
INNERS = st.builds(Inner, number=st.none() | st.integers(), text=TEXTS | st.just("plain"))
OUTERS = st.builds(
    Outer,
    ok=st.booleans(),
    id=st.integers(),
    way=st.sampled_from(["in", "out"]),
    state=st.none() | st.sampled_from(["a", "b"]),
    body=TEXTS,
    inner=INNERS,
    perhaps=st.none() | INNERS,
    many=st.lists(INNERS, max_size=3).map(tuple),
    names=st.none() | st.lists(TEXTS, max_size=3).map(tuple),
    masked=st.dictionaries(TEXTS, TEXTS, max_size=2),
    free=st.none() | st.booleans() | TEXTS | st.lists(st.integers(), max_size=2) | INNERS,
)


def plain(inner: Inner) -> dict[str, Any]:
    rest = {} if inner.text == "plain" else {"text": inner.text}
    return {"number": inner.number} | rest


@given(OUTERS)
def test_the_text_is_that_of_an_encoder(outer: Outer) -> None:
    expected: dict[str, Any] = {
        "ok": outer.ok,
        "id": outer.id,
        "way": outer.way,
        "state": outer.state,
        "body": outer.body,
        "inner": plain(outer.inner),
        "perhaps": outer.perhaps and plain(outer.perhaps),
        "many": [plain(one) for one in outer.many],
        "names": outer.names,
        "masked": outer.masked,
        "free": plain(outer.free) if isinstance(outer.free, Inner) else outer.free,
    }
    if outer.perhaps is None:
        del expected["perhaps"]
    text = json.dumps(expected, ensure_ascii=False, separators=(",", ":"))
    assert Converter().encode(outer).decode() == text


@pytest.mark.parametrize("number", ["5", 5.0])
def test_what_is_not_of_its_type_is_no_answer(number: Any) -> None:
    with pytest.raises(TypeError):
        Converter().encode(Inner(number=number))


def test_all_may_be_missing() -> None:
    @attrs.frozen(kw_only=True)
    class Rare:
        one: int = field("one", default=0, omit=True)
        other: str | None = field("other", default=None, omit=True)

    writer = JsonWriter()
    assert writer.text(Rare()) == "{}"
    assert writer.text(Rare(one=1)) == '{"one":1}'
    assert writer.text(Rare(other="{x}")) == '{"other":"{x}"}'
    assert writer.text(Rare(one=1, other="é")) == '{"one":1,"other":"é"}'


@given(OUTERS.map(lambda outer: attrs.evolve(outer, perhaps=None)))
def test_values_are_written_as_their_object(outer: Outer) -> None:
    @attrs.frozen(kw_only=True)
    class Whole:
        ok: bool = field("ok")
        id: int = field("id")
        state: str | None = field("state")
        body: str = field("body")
        names: tuple[str, ...] | None = field("names")

    names = ("ok", "id", "state", "body", "names")
    chosen = {name: getattr(outer, name) for name in names}
    writer = JsonWriter()
    write = writer.of_values(Whole, (*names, "more=None"))
    assert write(*chosen.values()) == writer.text(Whole(**chosen))


def test_a_source_is_written_as_it_says() -> None:
    @attrs.frozen(kw_only=True)
    class Timed:
        at: str = field("at")
        until: str | None = field("until")
        way: str = field("way")

    sources = {
        "at": Source("begun", '"{shown(begun)}"'),
        "until": Source("ended", '"{shown(ended)}"'),
        "way": Source("direction"),
    }
    write = JsonWriter().of_values(
        Timed, ("begun", "ended", "direction"), sources, {"shown": lambda value: f"{value:03}"}
    )
    assert write(7, 8, 'i"n') == '{"at":"007","until":"008","way":"i\\"n"}'
    assert write(7, None, "in") == '{"at":"007","until":null,"way":"in"}'
