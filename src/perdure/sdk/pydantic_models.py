"""Pydantic models, where a program uses them. Pydantic itself is never imported from here."""

import functools
import inspect
import sys
from typing import Any, get_origin

import msgspec


def is_model(value: Any) -> bool:
    """Whether a value is of a pydantic model. There can be none before the program imported pydantic."""
    base = _base()
    return base is not None and isinstance(value, base)


def is_model_type(hint: Any) -> bool:
    """Whether a type hint is a pydantic model."""
    base = _base()
    return base is not None and isinstance(hint, type) and get_origin(hint) is None and issubclass(hint, base)


def field_names(model: Any) -> frozenset[str]:
    """The names of a model's fields."""
    return frozenset(model.model_fields)


def dump(value: Any) -> bytes:
    """A model's JSON."""
    # Field names always lead back to the field; aliases may differ between the two directions.
    return value.model_dump_json(by_alias=not _reads_names(), round_trip=True).encode()  # type: ignore[no-any-return]


def load(model: Any, data: bytes) -> Any:
    """A model from its JSON. Raises ``msgspec.ValidationError``."""
    try:
        return model.model_validate_json(data, by_name=True) if _reads_names() else model.model_validate_json(data)
    except ValueError as error:
        raise msgspec.ValidationError(f"Expected `{model.__qualname__}`: {error}") from error


def _base() -> Any:
    return getattr(sys.modules.get("pydantic"), "BaseModel", None)


@functools.cache
def _reads_names() -> bool:
    """Whether pydantic can be told to read field names where there are aliases (from 2.11 on)."""
    return "by_name" in inspect.signature(_base().model_validate_json).parameters
