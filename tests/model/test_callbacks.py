"""Status callbacks as values: what is kept of them, and what is shown."""

import json

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.model.callbacks import MOST, Callback

CALLBACKS = st.builds(
    Callback,
    shape=st.sampled_from(sorted(MOST)),
    url=st.text(),
    mask=st.integers(0, 31),
    method=st.sampled_from(["GET", "POST"]),
    sign=st.none() | st.binary(max_size=40),
    known_as=st.none() | st.integers(1),
)


@given(CALLBACKS)
def test_what_is_kept_is_the_same_again(callback: Callback) -> None:
    assert Callback.read(json.loads(json.dumps(callback.kept()))) == callback


def test_neither_its_address_nor_what_signs_it_is_shown() -> None:
    callback = Callback(shape="twilio", url="https://a.example/?token=x", sign=b"abc")
    assert "token" not in repr(callback)
    assert "abc" not in repr(callback)


def test_all_reports_are_wanted_where_nothing_else_is_said() -> None:
    for shape, most in MOST.items():
        assert Callback(shape=shape, url="https://a.example/").mask == most


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://A.example/x?uuid=1", "https://a.example/"),
        ("HTTP://a.example:8080", "http://a.example:8080/"),
        ("http://[2001:db8::1]:80/x", "http://[2001:db8::1]:80/"),
        ("https://a.example?x=/y", "https://a.example/"),
    ],
)
def test_a_receiver_is_known_by_host_and_port(url: str, origin: str) -> None:
    assert Callback(shape="twilio", url=url).origin == origin


def test_what_twilio_s_clients_say_of_the_call_is_no_part_of_it() -> None:
    url = "https://a.example/x?y=1#rc=2&rp=all"
    assert Callback(shape="twilio", url=url).url == "https://a.example/x?y=1"
    # Others mean something else by it, and are refused.
    assert Callback(shape="kannel", url=url).url == url


def test_a_copy_reports_of_the_message_that_its_sender_knows() -> None:
    callback = Callback(shape="twilio", url="https://a.example/")
    copy = callback.of_copy(7)
    assert copy == attrs.evolve(callback, known_as=7)
    assert copy.of_copy(8) == copy
