"""Parameters of dialects in a query, a form or JSON."""

from typing import Annotated

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.api.given import form_pairs, given_texts, structured
from phonegate.http.refusals import UnsupportedMedia
from phonegate.model.refusals import BadInput, Refused
from phonegate.typed_json.fields import field
from phonegate.typed_json.rules import Text, Whole

FORM = {"content-type": "application/x-www-form-urlencoded"}
JSON = {"content-type": "application/json"}


@attrs.frozen(kw_only=True)
class Sample:
    """What a client may give."""

    to: tuple[str, ...] = field("Numbers.")
    text: Annotated[str, Text(1, 20)] = field("A text.")
    size: Annotated[int, Whole(1, 5)] | None = field("A number.", default=None)
    from_: Annotated[str, Text(0, 20)] | None = field("A sender.", default=None)


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"to=1&to=2&text=a+b&size=3&junk=x", FORM),
        (b'{"to":["1","2"],"text":"a b","size":3,"junk":null}', JSON),
        (
            b'--b\r\nContent-Disposition: form-data; name="to"\r\n\r\n1\r\n'
            b'--b\r\nContent-Disposition: form-data; name="to"\r\n\r\n2\r\n'
            b'--b\r\nContent-Disposition: form-data; name="text"\r\n\r\na b\r\n'
            b'--b\r\nContent-Disposition: form-data; name="size"\r\n\r\n3\r\n--b--\r\n',
            {"content-type": "multipart/form-data; boundary=b"},
        ),
    ],
)
def test_all_forms_mean_the_same(body: bytes, headers: dict[str, str]) -> None:
    read = structured(Sample, given_texts(body, headers, {}))
    assert read == Sample(to=("1", "2"), text="a b", size=3)


def test_a_query_goes_before_a_body() -> None:
    read = structured(Sample, given_texts(b"text=b&to=2", FORM, {"text": ["a"], "to": ["1"]}))
    assert read == Sample(to=("1", "2"), text="a")


def test_every_wrong_field_is_named() -> None:
    with pytest.raises(BadInput) as refused:
        structured(Sample, {"size": ["9"], "text": [""]})
    assert [one.field for one in refused.value.problems] == ["to", "text", "size"]


def test_an_empty_optional_one_is_absent() -> None:
    assert structured(Sample, {"to": ["1"], "text": ["a"], "size": [""], "from": [""]}) == Sample(
        to=("1",), text="a"
    )


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"<sms/>", {"content-type": "application/xml"}),
        (b"plain", {"content-type": "text/plain"}),
    ],
)
def test_another_form_is_refused(body: bytes, headers: dict[str, str]) -> None:
    with pytest.raises(UnsupportedMedia):
        given_texts(body, headers, {})


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"text=\xff", FORM),
        (b"&".join([b"a=1"] * 1_001), FORM),
        (b"[1]", JSON),
        (b"{", JSON),
    ],
)
def test_what_can_t_be_read_is_refused(body: bytes, headers: dict[str, str]) -> None:
    with pytest.raises(BadInput):
        given_texts(body, headers, {})


def test_a_query_that_is_not_utf_8_is_refused() -> None:
    with pytest.raises(BadInput, match="text is not UTF-8"):
        given_texts(b"", {}, {"text": ["\udcff"]})


@given(st.binary(max_size=80), st.sampled_from(["", "text/plain", *FORM.values(), *JSON.values()]))
def test_any_body_is_read_or_refused(body: bytes, media: str) -> None:
    try:
        found = given_texts(body, {"content-type": media}, {})
    except Refused:
        return
    assert all(isinstance(text, str) for texts in found.values() for text in texts)


def test_a_form_keeps_bytes_that_are_no_utf_8() -> None:
    [(name, value), other] = form_pairs(b"content=%04%1F%FF+&x=", "surrogateescape")
    assert (name, value) == ("content", "\x04\x1f\udcff ")
    assert other == ("x", "")
    with pytest.raises(BadInput, match="UTF-8"):
        form_pairs(b"content=%FF")


def test_a_form_has_few_fields() -> None:
    with pytest.raises(BadInput, match="1000"):
        form_pairs(b"a=&" * 1001, "surrogateescape")
