import pytest
import smsutil
from hypothesis import example, given, settings
from hypothesis import strategies as st

from phonegate.domain.segmentation import BASIC, EXTENDED, count

# The oracle takes a bare escape (0x1B) for a character of the alphabet. No phone does: it is
# the shift to the extension table and says nothing by itself.
GSM = st.text(alphabet=BASIC + EXTENDED, min_size=1, max_size=700)
ASTRAL = st.characters(min_codepoint=0x10000, max_codepoint=0x10FFFF)
UNICODE = st.text(
    alphabet=st.one_of(
        st.characters(blacklist_categories=["Cs"], blacklist_characters="\x1b"),
        ASTRAL,
        st.sampled_from(BASIC + EXTENDED),
    ),
    min_size=1,
    max_size=400,
)
# Runs of one character each reach the third and fourth part, where a wrong cut tells.
RUNS = st.lists(
    st.tuples(st.sampled_from("a€ł😀"), st.integers(1, 170)), min_size=1, max_size=6
).map(lambda runs: "".join(char * times for char, times in runs))
GSM_RUNS = st.lists(
    st.tuples(st.sampled_from("a€"), st.integers(1, 170)), min_size=1, max_size=6
).map(lambda runs: "".join(char * times for char, times in runs))


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("a" * 158 + "€", 1),
        ("a" * 159 + "€", 2),
        ("a" * 152 + "€" + "b" * 20, 2),
        ("€" * 200, 3),
        ("ł" * 70, 1),
        ("ł" * 71, 2),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
        ("😀" * 100, 4),
        ("a" * 66 + "😀" + "a" * 10, 2),
        ("ç" * 160, 3),
        ("Ç" * 160, 1),
        ("“quoted”", 1),
        ("\x1b", 1),
        ("\0", 1),
        ("`", 1),
        ("", 1),
    ],
)
def test_known_texts(text: str, parts: int) -> None:
    assert count(text) == parts


@settings(deadline=None)
@given(st.one_of(GSM, UNICODE, RUNS, GSM_RUNS))
def test_agrees_with_smsutil(text: str) -> None:
    assert count(text) == len(smsutil.split(text).parts)


def parts_of_units(text: str) -> int:
    """As the standard says it, for a text in UCS-2: each part takes what fits whole."""
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")  # joins halves
    sizes = [1 if ord(char) < 0x10000 else 2 for char in text]
    if sum(sizes) <= 70:
        return 1
    parts, left = 1, 67
    for size in sizes:
        if size > left:
            parts, left = parts + 1, 67
        left -= size
    return parts


@settings(deadline=None)
@given(st.text(alphabet=st.characters(), max_size=300))
@example("\ud800" * 134)
@example("ł" * 66 + "\ud83d" + "😀" * 30)
@example("ł" * 133 + "\ud800")
def test_any_text_is_counted(text: str) -> None:
    # The first character is in no alphabet of seven bits.
    assert count("ł" + text) == parts_of_units("ł" + text)


@settings(deadline=None)
@given(st.integers(0, 67), st.integers(20, 80))
def test_a_pair_is_never_split(before: int, pairs: int) -> None:
    text = "ł" * before + "😀" * pairs
    assert count(text) == parts_of_units(text)


def test_the_alphabet_is_that_of_the_standard() -> None:
    assert len(BASIC) == 127  # 128 codes, one of them the escape
    assert len(set(BASIC + EXTENDED)) == 137
