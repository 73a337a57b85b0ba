import json

from hypothesis import given
from hypothesis import strategies as st

from phonegate.values import has_more_values

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('a,[{}]"\\\n'),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(',[{"\\'), inner, max_size=4)
    ),
    max_leaves=12,
)


def separators(value: object) -> int:
    """Commas and opening brackets of a JSON value, as its grammar has them."""
    if not isinstance(value, dict | list):
        return 0
    inner = list(value.values()) if isinstance(value, dict) else value
    return 1 + max(0, len(inner) - 1) + sum(map(separators, inner))


@given(JSON)
def test_what_is_counted_is_what_stands_outside_of_strings(value: object) -> None:
    text, count = json.dumps(value), separators(value)
    assert not has_more_values(text, count)
    assert count == 0 or has_more_values(text, count - 1)


def test_more_strings_than_values_have_names_are_more_values() -> None:
    assert has_more_values('"",' * 100, 10)
    assert has_more_values('""' * 100 + "," * 11, 10)
    assert not has_more_values('"' + '\\",[{' * 100 + '"', 0)
