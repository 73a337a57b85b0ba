"""Reading the parameters of a query into its type."""

from collections.abc import Mapping, Sequence
from typing import Any

from phonegate.api.field_names import meant, plain_names
from phonegate.typed_json.fields import Wrong, fields_of


def read_parameters(
    cls: type, given: Mapping[str, Sequence[str]], beside: tuple[str, ...] = ()
) -> tuple[Any, dict[str, str]]:
    """Fills a query type from the parameters of a query.

    Unknown parameters are ignored, but for those that are another spelling of
    a known one, `beside` included: `sinceId`.

    Returns:
        The filled object and no problems, or None and the problem of each wrong parameter.
    """
    values: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for known in fields_of(cls):
        texts = given.get(known.name, ())
        if not texts:
            if known.required:
                problems[known.name] = "is required"
            continue
        if len(texts) > 1:
            problems[known.name] = "is given more than once"
            continue
        if known.rule is None:
            raise TypeError(f"{cls.__name__}.{known.name} has no rule")
        try:
            values[known.attribute] = known.rule.read_text(texts[0])
        except Wrong as error:
            problems[known.name] = str(error)
    names = (*(known.name for known in fields_of(cls)), *beside)
    for name in given:
        if name not in names and (near := meant(name, plain_names(names))) is not None:
            problems[name] = f"is no parameter of this address; did you mean {near}?"
    return (None, problems) if problems else (cls(**values), problems)
