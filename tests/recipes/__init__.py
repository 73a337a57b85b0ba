"""Recipes: how each program that sends SMS is made to send through phonegate.

They are data. The page `docs/recipes.md` is printed from it (`python -m tests.documents`), and
`tests/api/dialects/test_recipes.py` makes of the settings that are printed there the very requests
that the programs make of them.
"""
