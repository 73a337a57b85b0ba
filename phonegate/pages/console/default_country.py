"""The country of numbers that a person writes without one: that of a form, or the org's."""

from phonegate.model.refusals import FieldProblem
from phonegate.pages.console.visit import Visit


def chosen_country(visit: Visit, written: str, problems: list[FieldProblem]) -> str | None:
    """Returns a country that was written in a form, or else the org's, or None.

    Args:
        visit: The form's.
        written: Such as `DE` or `+49`, or nothing.
        problems: What is wrong with it is added to these.
    """
    if not (text := written.strip()):
        return visit.services.org_options.of(visit.principal.org).default_country
    country, problem = _read(text)
    if problem:
        problems.append(FieldProblem("country", problem))
    return country or None


def written_country(text: str) -> str:
    """Returns a country in two letters, or the text itself where it is none."""
    return _read(text)[0] or text if text else ""


def _read(text: str) -> tuple[str, str]:
    # Loaded where a country is named: the plans of all numbers are large.
    from phonegate.domain.numbering_plans import read_country_or_code  # noqa: PLC0415

    return read_country_or_code(text)
