"""What a task asks of the workers that take it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from perdure.model import affinity as model
from perdure.model.errors import InvalidArgumentError


@dataclass(frozen=True)
class Affinity:
    """Which workers a task goes to, by the labels that they were started with. Where only labels are required, a mapping
    does as well: ``affinity={"gpu": "a100"}``.

    Args:
        required: the task goes only to a worker that has all of these, and waits until there is one.
        preferred: among those the worker goes first that has the most of these and a free slot; nothing waits for one.

    Raises:
        InvalidArgumentError: a name or a value is not text, or empty.
    """

    required: Mapping[str, str] = field(default_factory=dict)
    preferred: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _ = self.for_engine

    @cached_property
    def for_engine(self) -> model.Affinity | None:
        """The same for the engine; None where it asks for nothing."""
        for name in ("required", "preferred"):
            checked_labels(f"Affinity({name}=...)", getattr(self, name))
        return model.affinity_of(self.required, self.preferred)


def affinity_option(affinity: "Affinity | Mapping[str, str] | None") -> model.Affinity | None:
    """An option as given. Raises ``InvalidArgumentError``."""
    match affinity:
        case None:
            return None
        case Affinity():
            return affinity.for_engine
        case model.Affinity():
            return affinity
        case _:
            return model.affinity_of(checked_labels("affinity", affinity), {})


def checked_labels(option: str, labels: Any) -> Mapping[str, str]:
    """Labels as given, by name. Raises ``InvalidArgumentError``, which names the option."""
    if not isinstance(labels, Mapping):
        raise InvalidArgumentError(f"{option}: {labels!r} is not a mapping of labels: {{'gpu': 'a100'}}")
    if problem := model.labels_problem(option, labels, 0):
        raise InvalidArgumentError(problem)
    return labels
