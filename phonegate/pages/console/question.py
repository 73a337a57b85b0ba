"""A question before something that can't be undone: a page of its own, which scripts make a dialog.

A link to it bears `data-dialog` (see files/console/forms.js).
"""

from collections.abc import Sequence

from quart import Response

from phonegate.pages.console.visit import Visit


async def question(
    visit: Visit,
    asked: str,
    *,
    sentences: Sequence[str],
    action: str,
    word: str,
    back: str,
    stay: str = "Cancel",
    choices: Sequence[tuple[str, str, str]] = (),
    signs_out: bool = False,
) -> Response:
    """Returns the page of a question, whose form does what is asked about.

    Args:
        visit: The request.
        asked: The question.
        sentences: What would happen.
        action: The address that the form is sent to.
        word: What the button says that does it.
        back: The address to go to if it is not done.
        stay: What the link to there says.
        choices: Boxes of the form: each with its name, its label and a hint.
        signs_out: Whether it ends the session of its person.
    """
    return await visit.page(
        "console/question.html",
        asked=asked,
        sentences=sentences,
        action=action,
        word=word,
        back=back,
        stay=stay,
        choices=choices,
        signs_out=signs_out,
    )
