"""Times as HTML that a script shows in the reader's own zone and words. Pure."""

from datetime import UTC, datetime

from markupsafe import Markup

from phonegate.model.times import iso


def when(time: int | str | None) -> Markup:
    """Returns a time as HTML, in UTC for those who have no scripts.

    Args:
        time: In ms since 1970, or as ISO 8601. None: nothing is shown.
    """
    if time is None:
        return Markup("")
    text = iso(time) if isinstance(time, int) else time
    shown = datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return Markup('<time datetime="{}" data-when>{}</time>').format(text, shown)
