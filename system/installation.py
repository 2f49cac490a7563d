"""Refuses `pip install` of a clone: pyproject.toml names this module as the build."""

raise SystemExit(
    "expected a clone to run from, received an installation: its folders are called "
    "data and models, as others' are; `pip install -r requirements.txt` and "
    "sys.path.append('/path/of/the/clone') do (docs/adapting.md, As a library)"
)
