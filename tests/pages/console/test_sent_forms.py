"""Forms as they are read: of which kind they are, and how much of them."""

import threading
from typing import Any

import pytest

from phonegate.model.refusals import BadInput
from phonegate.pages.console import sent_forms
from phonegate.pages.console.sent_forms import MOST_FIELDS, parsed
from tests.api.conftest import HOME, Web
from tests.pages.console.conftest import Person

ENCODED = "application/x-www-form-urlencoded"


def parts(*named: str, last: str = "--x--\r\n") -> bytes:
    return ("".join(f"--x\r\nContent-Disposition: {one}\r\n" for one in named) + last).encode()


def test_both_kinds_of_forms_are_read() -> None:
    form = parsed(b"a=1&b=%C3%A4+x&a=2&c=", f"{ENCODED}; charset=utf-8")
    assert form.fields.getlist("a") == ["1", "2"]
    assert (form.fields["b"], form.fields["c"]) == ("ä x", "")
    sent = parts(
        'form-data; name="a"\r\n\r\nfirst',
        'form-data; name="file"; filename="x.csv"\r\nContent-Type: text/csv\r\n\r\n+1,Ann',
    )
    form = parsed(sent, "multipart/form-data; boundary=x")
    assert form.fields["a"] == "first"
    assert form.files["file"].read() == b"+1,Ann"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"a=1", ""),
        (b'{"a": 1}', "application/json"),
        (b"a=1", "multipart/form-data"),
        (b"a=1", "multipart/form-data; boundary=x"),
        (parts('form-data; name="a"\r\n\r\n1', last=""), "multipart/form-data; boundary=x"),
        (parts("\0\r\n\r\n1"), "multipart/form-data; boundary=x"),
        (b"--x\r\nA: b\r\n\r\n1\r\n--x--\r\n", "multipart/form-data; boundary=x"),
        (b"\xff\xfe", "multipart/form-data; boundary=\u00e4"),
    ],
)
def test_what_is_no_form_has_no_fields(data: bytes, kind: str) -> None:
    assert not parsed(data, kind).fields


def test_no_form_has_very_many_fields() -> None:
    assert len(parsed(b"&".join([b"a=1"] * MOST_FIELDS), ENCODED).fields.getlist("a")) == 1_000
    with pytest.raises(BadInput):
        parsed(b"&".join([b"a=1"] * (MOST_FIELDS + 1)), ENCODED)
    many = ['form-data; name="a"\r\n\r\n1'] * (MOST_FIELDS + 1)
    with pytest.raises(BadInput):
        parsed(parts(*many), "multipart/form-data; boundary=x")


async def test_a_large_form_holds_up_no_other(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    person = await Person.signed_in(web)
    await person.look("/sessions")
    where: list[threading.Thread] = []

    def noted(*args: Any) -> Any:
        where.append(threading.current_thread())
        return parsed(*args)

    monkeypatch.setattr(sent_forms, "parsed", noted)
    answer = await person.send("/compose", {"to": "12345", "text": "x" * 90_000})
    assert answer.status_code == 303
    assert where[0] is not threading.main_thread()
    answer = await person.client.post(
        "/console/compose",
        content=f"csrf={person.csrf}" + "&a=" * MOST_FIELDS,
        headers={"Content-Type": ENCODED, "Origin": HOME},
    )
    assert (answer.status_code, "more than 1000 fields" in answer.text) == (400, True)
