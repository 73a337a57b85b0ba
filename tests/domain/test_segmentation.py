import pytest
import smsutil
from hypothesis import example, given, settings
from hypothesis import strategies as st

from phonegate.domain.segmentation import BASIC, EXTENDED, Encoding, count, segment

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
    ("text", "encoding", "lengths"),
    [
        ("a" * 160, "gsm7", [160]),
        ("a" * 161, "gsm7", [153, 8]),
        ("a" * 306, "gsm7", [153, 153]),
        ("a" * 307, "gsm7", [153, 153, 1]),
        ("€" * 80, "gsm7", [80]),
        ("€" * 81, "gsm7", [76, 5]),
        ("a" * 158 + "€", "gsm7", [159]),
        ("a" * 159 + "€", "gsm7", [153, 7]),
        ("a" * 152 + "€" + "b" * 20, "gsm7", [152, 21]),
        ("€" * 200, "gsm7", [76, 76, 48]),
        ("ł" * 70, "ucs2", [70]),
        ("ł" * 71, "ucs2", [67, 4]),
        ("😀" * 35, "ucs2", [35]),
        ("😀" * 36, "ucs2", [33, 3]),
        ("😀" * 100, "ucs2", [33, 33, 33, 1]),
        ("a" * 66 + "😀" + "a" * 10, "ucs2", [66, 11]),
        ("ç" * 160, "ucs2", [67, 67, 26]),
        ("Ç" * 160, "gsm7", [160]),
        ("“quoted”", "ucs2", [8]),
        ("\x1b", "ucs2", [1]),
        ("\0", "ucs2", [1]),
        ("`", "ucs2", [1]),
        ("", "gsm7", [0]),
    ],
)
def test_known_texts(text: str, encoding: Encoding, lengths: list[int]) -> None:
    cut = segment(text)
    assert cut.encoding == encoding
    assert [len(part) for part in cut.parts] == lengths
    assert "".join(cut.parts) == text
    assert count(text) == len(lengths)


@settings(deadline=None)
@given(st.one_of(GSM, UNICODE, RUNS, GSM_RUNS))
def test_agrees_with_smsutil(text: str) -> None:
    oracle = smsutil.split(text)
    cut = segment(text)
    assert cut.parts == tuple(part.content for part in oracle.parts)
    assert cut.encoding == {"gsm0338": "gsm7", "utf_16_be": "ucs2"}[oracle.encoding]
    assert count(text) == len(oracle.parts)


@settings(deadline=None)
@given(st.text(alphabet=st.characters(), max_size=300))
@example("\ud800" * 134)
@example("ł" * 66 + "\ud83d" + "😀" * 30)
@example("ł" * 133 + "\ud800")
def test_any_text_is_counted_and_every_part_fits(text: str) -> None:
    cut = segment(text)
    assert count(text) == len(cut.parts)
    units = [len(part.encode("utf-16-be", "surrogatepass")) // 2 for part in cut.parts]
    whole = text.encode("utf-16-be", "surrogatepass")
    assert b"".join(p.encode("utf-16-be", "surrogatepass") for p in cut.parts) == whole
    if cut.encoding == "ucs2":
        assert max(units) <= (70 if len(cut.parts) == 1 else 67)


@settings(deadline=None)
@given(st.integers(0, 67), st.integers(20, 80))
def test_a_pair_is_never_split(before: int, pairs: int) -> None:
    text = "ł" * before + "😀" * pairs
    for part in segment(text).parts:
        part.encode("utf-8")  # half a pair could not be


def test_the_alphabet_is_that_of_the_standard() -> None:
    assert len(BASIC) == 127  # 128 codes, one of them the escape
    assert len(set(BASIC + EXTENDED)) == 137


def test_bodies_stay_out_of_the_repr() -> None:
    assert "secret words" not in repr(segment("secret words"))
