"""Whatever a phone or carrier may report as a value, for properties of the reading of reports."""

from typing import Any

from hypothesis import strategies as st

TEXT = st.text(st.characters(exclude_categories=[]), max_size=80)
JSON: Any = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(10**30, 10**31)
    | st.floats()
    | TEXT
    | st.sampled_from(["", "5", "5.0", "-1", "true", "2026-11-28T08:00:00Z", "\u202a+1555\u202c"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
