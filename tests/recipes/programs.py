"""All programs that have a recipe, by name."""

from tests.recipes import accounts, automation, business, monitoring
from tests.recipes.recipe import Program

PROGRAMS: tuple[Program, ...] = tuple(
    sorted(
        (
            *accounts.PROGRAMS,
            *automation.PROGRAMS,
            *business.PROGRAMS,
            *monitoring.PROGRAMS,
        ),
        key=lambda program: program.name.lower(),
    )
)
