"""``import perdure`` loads nothing yet, and gives everything that it names."""

import subprocess
import sys

import pytest

import perdure


def loaded_by(code: str) -> set[str]:
    """The modules in a fresh interpreter after some code."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_the_bare_import_loads_nothing_else():
    assert {name for name in loaded_by("import perdure") if name.startswith("perdure.")} == set()


def test_the_command_line_answers_help_without_engine_and_sdk():
    loaded = loaded_by("import perdure.cli.main")
    assert not loaded & {"asyncio", "sqlite3", "perdure.app.embedded", "perdure.app.stores", "perdure._public", "rich"}


def test_every_public_name_is_there_under_all_ways_to_import_it():
    scope: dict[str, object] = {}
    exec("from perdure import *", scope)
    for name in perdure.__all__:
        assert scope[name] is getattr(perdure, name)
        assert name in dir(perdure)


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = perdure.nonsense  # type: ignore[attr-defined]
    with pytest.raises(ImportError):
        from perdure import nonsense  # type: ignore[attr-defined]  # noqa: F401
