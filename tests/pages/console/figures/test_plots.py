"""Plots: shapes that say the values, words and a table for those who don't see them."""

import re
from datetime import datetime
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from phonegate.pages import console
from phonegate.pages.console.figures.plots import Plot, Series, bars, day_words, lines

UTC = ZoneInfo("UTC")
HOUR = 3_600_000
START = round(datetime(2026, 3, 29, tzinfo=UTC).timestamp() * 1000)
TEMPLATES = Environment(
    loader=FileSystemLoader(f"{console.__path__[0]}/../templates"),
    autoescape=True,
    undefined=StrictUndefined,
)


def _written(plot: Plot) -> str:
    page = '{% from "console/parts/plot.html" import plot %}{{ plot(figure) }}'
    return TEMPLATES.from_string(page).render(figure=plot)


def _hours(count: int) -> list[int]:
    return [START + i * HOUR for i in range(count)]


def _stack(*values: list[int]) -> Plot:
    series = [Series(name=f"Series {i}", values=some) for i, some in enumerate(values)]
    times = _hours(len(values[0]))
    return bars("sent", "Messages", times, times[-1] + HOUR, series, zone=UTC)


@given(st.lists(st.tuples(*[st.integers(0, 10**9)] * 3), min_size=1, max_size=40))
def test_bars_stand_on_each_other_and_stay_inside(stacks: list[tuple[int, ...]]) -> None:
    plot = _stack(*map(list, zip(*stacks, strict=True)))

    for drawing in plot.drawings:
        assert len(drawing.bars) == sum(value > 0 for stack in stacks for value in stack)
        for bar in drawing.bars:
            assert drawing.left <= bar.x
            assert bar.x + bar.width <= drawing.right + 0.2
            assert drawing.top - 1 <= bar.y
            assert bar.y + bar.height <= drawing.bottom + 1.1
        assert len(drawing.columns) == (len(stacks) if drawing.form == "wide" else 0)
        highest = max(map(sum, stacks))
        if highest:
            tops = min(bar.y for bar in drawing.bars)
            tall = drawing.bottom - drawing.top
            # The scale wastes at most two thirds of the height.
            assert drawing.bottom - tops >= tall / 3


def test_a_bar_is_as_high_as_its_value() -> None:
    (drawing, _) = _stack([0, 50, 100]).drawings

    heights = [bar.height for bar in drawing.bars]
    assert heights == [(drawing.bottom - drawing.top) / 2, drawing.bottom - drawing.top]


def test_a_line_has_a_gap_where_there_is_no_value_and_after_a_long_silence() -> None:
    times = [*_hours(5), START + 20 * HOUR]
    series = Series(name="Battery", values=[1, 2, None, 4, 5, 6])
    (drawing, _) = lines("b", "Battery", times, [series], zone=UTC, gap_ms=2 * HOUR).drawings

    (line,) = drawing.lines
    assert re.findall("[ML]", line.path) == ["M", "L", "M", "L", "M"]
    assert line.path.count("h0") == 3


def test_a_line_of_nothing_and_a_single_value_can_be_drawn() -> None:
    empty = lines("b", "Battery", [], [Series(name="Battery", values=[])], zone=UTC)
    single = lines("b", "Battery", [START], [Series(name="Battery", values=[3])], zone=UTC)

    assert empty.is_empty
    assert "<svg" not in _written(empty)
    assert "Nothing in this time yet." in _written(empty)
    assert [len(drawing.lines) for drawing in single.drawings] == [1, 1]


def test_a_summary_says_what_is_to_be_seen() -> None:
    sent = _stack([3, 9, 0], [0, 0, 0]).summary
    times = lines(
        "t",
        "Time to sent",
        _hours(3),
        [Series(name="Median", values=[1.5, 61, None])],
        zone=UTC,
        unit="seconds",
    ).summary

    assert sent == (
        "From Sun 29 Mar 2026, 00:00 to Sun 29 Mar 2026, 02:00. Series 0: 12 in all, most at Sun"
        " 29 Mar 2026, 01:00 with 9. Series 1: 0 in all."
    )
    assert times.endswith(
        "Median: least 1.5 s, most at Sun 29 Mar 2026, 01:00 with 1 min 1 s, last 1 min 1 s."
    )


def test_what_is_written_fits_the_policy_and_is_well_formed() -> None:
    hostile = "<script>\"'&\u202e"
    times = _hours(3)
    plot = bars(
        "out",
        hostile,
        times,
        times[-1] + HOUR,
        [
            Series(name=hostile, values=[1, 2, 3], tone="ok"),
            Series(name="b", values=[0, 1, 0], tone="bad"),
        ],
        zone=UTC,
        limit=(4, hostile),
    )
    text = _written(plot)

    assert "<script" not in text
    assert not re.search(r"\sstyle=|<style|\son\w+=|href=|url\((?!#)", text)
    tree = ET.fromstring(text)
    drawings = tree.findall("svg")
    assert [one.get("role") for one in drawings] == ["img", "img"]
    ids = [node.get("id") for node in tree.iter() if node.get("id")]
    assert len(ids) == len(set(ids))
    for one in drawings:
        assert set(str(one.get("aria-labelledby")).split()) <= set(ids)
        assert one.findtext("title") == hostile
        assert "in all" in str(one.findtext("desc"))
    words = [title.text for node in drawings[0].iter("path") for title in node.findall("title")]
    assert words[1] == f"Sun 29 Mar 2026, 01:00: {hostile} 2, b 1"
    fills = {node.get("fill") for one in drawings for node in one.findall("path")}
    assert fills - {None} == {
        f"url(#out-{form}-p{i})" for form in ("wide", "narrow") for i in (0, 1)
    }
    cells = [["".join(cell.itertext()) for cell in row] for row in tree.iter("tr")]
    assert cells[0] == ["Time", hostile, "b"]
    assert cells[2] == ["Sun 29 Mar 2026, 01:00", "2", "1"]


def test_series_differ_without_colour() -> None:
    bars_text = _written(_stack([1], [1], [1], [1]))
    times = _hours(2)
    series = [Series(name=str(i), values=[1, 2]) for i in range(4)]
    lines_text = _written(lines("l", "Lines", times, series, zone=UTC))

    patterns = re.findall(r"<pattern.*?</pattern>", bars_text, re.DOTALL)
    assert len({re.sub(r'id="[^"]*"', "", one).strip() for one in patterns}) == 4
    drawn = re.findall(r'<path class="plot-line[^>]*d="M[\d. ]+h0[^>]*>', lines_text)
    assert len({re.sub(r' d="[^"]*"', "", one) for one in drawn}) == 4


def test_a_day_has_a_name() -> None:
    assert day_words(START, ZoneInfo("America/New_York")) == "Sat 28 Mar 2026"


def test_the_scale_reaches_over_all_values_of_all_lines() -> None:
    times = _hours(2)
    series = [Series(name="low", values=[1, 2]), Series(name="high", values=[1, 90])]
    for drawing in lines("l", "Lines", times, series, zone=UTC, gap_ms=2 * HOUR).drawings:
        path = " ".join(line.path for line in drawing.lines)
        heights = [float(y) for y in re.findall(r"[ML][0-9.]+[ ,]([0-9.]+)", path)]
        assert len(heights) == 4, path
        assert all(drawing.top - 1 <= y <= drawing.bottom + 1 for y in heights)
