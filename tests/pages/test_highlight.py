"""Colour changes no character of what is printed."""

from html.parser import HTMLParser

from hypothesis import example, given
from hypothesis import strategies as st

from phonegate.pages.highlight import painted

CODE = st.text(st.sampled_from("ab \"\\#/&<>,?:{}\n'…"), max_size=60)


class Text(HTMLParser):
    """The text of a piece of HTML."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.text = ""
        self.tags: set[str] = set()
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


@given(CODE)
@example("curl 'http://h/?a=1&b=2' -d '{\"x\":\"</code><script>\"}' # end")
def test_the_text_stays_as_it_was(code: str) -> None:
    read = Text(str(painted(code)))
    assert read.text == code
    assert read.tags <= {"span", "wbr"}


def test_texts_and_comments_are_told_apart() -> None:
    html = painted('{"to":"+1"} // http://x is "no" text\nhttp://y # so')
    assert html == (
        '{<span class="text">&#34;to&#34;</span>:<span class="text">&#34;+1&#34;</span>} '
        '<span class="comment">// http://x is &#34;no&#34; text</span>\n'
        'http://y <span class="comment"># so</span>'
    )
