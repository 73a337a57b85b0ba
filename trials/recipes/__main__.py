"""Runs the recipes of docs/events.md with the programs that they are for.

    python -m trials.recipes --folder /tmp/recipes --python python3.13

Installs Home Assistant (PyPI), Node-RED and n8n (npm) into the folder, unless they are there.
Starts a gateway and each program on the loopback, does what the document prints, and prints what
was seen. Exits 1 if a recipe did not do what the document says of it. A program that can't be had
here is left out, with the reason.
"""

import argparse
import sys
from pathlib import Path

from trials.recipes.apprise_api import AppriseApi
from trials.recipes.ground import NotSeen, ground
from trials.recipes.home_assistant import HomeAssistant
from trials.recipes.n8n import N8n
from trials.recipes.node_red import NodeRed
from trials.recipes.recipe import NotInstalled, Recipe


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m trials.recipes", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--folder", type=Path, required=True, help="where programs are installed")
    parser.add_argument("--python", default="python3.13", help="for Home Assistant")
    parser.add_argument("--apprise-api", default="", help="a checkout of the Apprise API")
    parser.add_argument("--only", action="append", help="the name of a recipe")
    options = parser.parse_args()
    recipes: list[Recipe] = [
        HomeAssistant(options.python),
        NodeRed(),
        N8n(),
        AppriseApi(options.python, options.apprise_api),
    ]
    failed = False
    for recipe in recipes:
        if options.only and recipe.name not in options.only:
            continue
        failed |= not carried_out(recipe, options.folder.resolve())
    sys.exit(failed)


def carried_out(recipe: Recipe, folder: Path) -> bool:
    """Installs and runs one recipe. Returns whether it did what the document says, if it ran."""
    installed = folder / recipe.name
    try:
        print(f"{recipe.name}: {recipe.install(installed)}", flush=True)
    except NotInstalled as error:
        print(f"{recipe.name}: left out. {error}", flush=True)
        return True
    try:
        with ground(folder / f"{recipe.name}-ground") as here:
            for sight in recipe.run(here, installed):
                print(f"  {sight}", flush=True)
    except (NotSeen, AssertionError) as error:
        print(f"  NOT AS PRINTED: {error}", flush=True)
        return False
    return True


if __name__ == "__main__":
    main()
