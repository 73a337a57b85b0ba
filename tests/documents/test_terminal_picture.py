"""A terminal as a drawing: colours, columns and what has no place in one."""

from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from tests.documents.terminal_picture import COLOURS, COLUMN_PX, EDGE_PX, LINE_PX, picture

SVG = "{http://www.w3.org/2000/svg}"


def texts(drawing: str) -> list[ET.Element]:
    return ET.fromstring(drawing).findall(f"{SVG}text")


def test_pieces_have_their_style_and_column() -> None:
    drawing = picture("run", "one \x1b[1;32mtwo\x1b[0m  three\n\x1b[2mfaint\x1b[22m not\n")
    prompt, command, one, two, three, faint, plain = texts(drawing)
    assert (prompt.text, command.text) == ("$", "run")
    assert [each.text for each in (one, two, three)] == ["one", "two", "three"]
    assert (two.get("fill"), two.get("font-weight")) == (COLOURS[32], "700")
    assert three.get("fill") is None
    assert float(two.get("x", "")) == round(EDGE_PX + 4 * COLUMN_PX, 2)
    assert float(three.get("x", "")) == round(EDGE_PX + 9 * COLUMN_PX, 2)
    assert (faint.get("opacity"), plain.get("opacity")) == (".7", None)
    assert int(faint.get("y", "")) - int(one.get("y", "")) == LINE_PX


def test_wide_letters_take_two_columns_and_long_lines_are_cut() -> None:
    *_, wide, after = texts(picture("run", "資料\x1b[31mx\x1b[0m", 20))
    assert float(wide.get("textLength", "")) == round(4 * COLUMN_PX, 2)
    assert float(after.get("x", "")) == round(EDGE_PX + 4 * COLUMN_PX, 2)
    *_, cut = texts(picture("run", "a" * 30, 20))
    assert cut.text == "a" * 20


def test_what_moves_the_cursor_is_left_out() -> None:
    *_, line = texts(picture("run", "\x1b[2K\rdone\x1b[?25h"))
    assert line.text == "done"


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn"])), st.integers(1, 50))
def test_any_text_is_well_formed(text: str, columns: int) -> None:
    ET.fromstring(picture(text.strip() or "x", text, columns))
