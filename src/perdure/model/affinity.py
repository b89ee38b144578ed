"""Labels of workers, and what tasks ask of them."""

from collections.abc import Mapping

import msgspec

from perdure.model.names import problem

Pairs = tuple[tuple[str, str], ...]
"""Labels by name, in order of the names."""

MOST_LABELS = 64
"""Of one worker, and of what one task asks for."""


class Affinity(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Which workers a task goes to: only to those that have all ``required`` labels, and of these first to those that
    have the most of the ``preferred`` ones."""

    required: Pairs = ()
    preferred: Pairs = ()

    def admits(self, labels: Mapping[str, str]) -> bool:
        """Whether a worker with these labels may have the task."""
        return all(labels.get(name) == text for name, text in self.required)

    def liking(self, labels: Mapping[str, str]) -> int:
        """How many of the preferred labels are among these."""
        return sum(labels.get(name) == text for name, text in self.preferred)

    def __str__(self) -> str:
        """What is required, for people: ``gpu=a100, zone=eu``."""
        return ", ".join(f"{name}={text}" for name, text in self.required)


def affinity_of(required: Mapping[str, str], preferred: Mapping[str, str]) -> Affinity | None:
    """What a task asks for; None where that is nothing."""
    if not required and not preferred:
        return None
    return Affinity(tuple(sorted(required.items())), tuple(sorted(preferred.items())))


def labels_problem(what: str, labels: Mapping[str, str] | Pairs, longest: int) -> str | None:
    """Why something can't be labels, as a sentence; None if it can. ``longest`` are the characters of a name or text, 0
    for any number."""
    pairs = tuple(labels.items()) if isinstance(labels, Mapping) else labels
    if len(pairs) > MOST_LABELS:
        return f"{what}: {len(pairs)} labels are more than {MOST_LABELS}"
    for name, text in pairs:
        if found := problem(f"{what}: a label's name", name, longest):
            return found
        if found := problem(f"{what}: label {name}", text, longest):
            return found
    return None


def affinity_problem(affinity: Affinity, longest: int) -> str | None:
    """Why a task can't ask for this, as a sentence; None if it can."""
    return labels_problem("affinity, required", affinity.required, longest) or labels_problem(
        "affinity, preferred", affinity.preferred, longest
    )
