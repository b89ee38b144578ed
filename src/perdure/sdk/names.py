"""Names and texts as callers give them: refused here, before anything is sent, when they can't be any."""

from collections.abc import Mapping
from typing import Any

from perdure.model import names
from perdure.model.errors import InvalidArgumentError


def checked_name(option: str, name: object) -> str:
    """A name as given. Raises ``InvalidArgumentError``, which names the option."""
    if problem := names.problem(option, name):
        raise InvalidArgumentError(problem)
    assert isinstance(name, str)
    return name


def checked_text(option: str, text: object) -> str:
    """A text as given, which may be empty. Raises ``InvalidArgumentError``, which names the option."""
    if problem := names.text_problem(option, text):
        raise InvalidArgumentError(problem)
    assert isinstance(text, str)
    return text


def checked_filter(filter: object) -> str:
    """A filter as given; whether it means anything is for the engine to say. Raises ``InvalidArgumentError``."""
    if problem := names.unwritable("The filter", filter):
        raise InvalidArgumentError(problem)
    assert isinstance(filter, str)
    return filter


def checked_names(option: str, values: object) -> Mapping[str, Any]:
    """Values by name, as given. Raises ``InvalidArgumentError``, which names the option."""
    if not isinstance(values, Mapping):
        raise InvalidArgumentError(f"{option}={values!r} must be a mapping: values by name")
    for name in values:
        checked_name(f"a name in {option}", name)
    return values
