"""What a check finds."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from perdure.expressions.located_json import Place, Position

SCHEMA: Final = "SCHEMA_VALIDATION_FAILED"
TARGET: Final = "MISSING_TRANSITION_TARGET"
NO_END: Final = "MISSING_END_STATE"
INVALID: Final = "INVALID_JSONATA_EXPRESSION"
UNSUPPORTED: Final = "UNSUPPORTED_JSONATA_EXPRESSION"
NOT_JSON: Final = "INVALID_JSON_DESCRIPTION"


@dataclass(slots=True, frozen=True)
class Diagnostic:
    """One thing that is wrong.

    Args:
        code, message, location: AWS's; the location is None where AWS tells none.
        severity: "ERROR" or "WARNING".
        place: names and numbers on the way from the definition's root.
        expected: what would have been right, in words of ours; "" if the message says it all.
        nearest: the known name that is most like the one that was found, or None.
        position: line and column, once they were looked for.
        said_alone: AWS's CreateStateMachine refuses with this message in a sentence of its own.
    """

    code: str
    message: str
    location: str | None
    place: Place = ()
    severity: str = "ERROR"
    expected: str = ""
    nearest: str | None = None
    position: Position | None = None
    said_alone: bool = False

    @property
    def json_path(self) -> str:
        """The place, as a JSON path: `$.States.Work.Retry[0]`."""
        return "$" + "".join(
            f"[{part}]" if isinstance(part, int) else f".{part}" if part.isidentifier() else f"['{part}']"
            for part in self.place
        )

    def told(self, name: str) -> str:
        """All of it for a person, on few lines.

        Args:
            name: of the file.
        """
        where = name if self.position is None else f"{name}:{self.position.line}:{self.position.column}"
        lines = [f"{where}: {self.severity.lower()}: {self.message}", f"  at {self.json_path}"]
        if self.expected:
            lines.append(f"  expected {self.expected}")
        if self.nearest:
            lines.append(f"  did you mean '{self.nearest}'?")
        return "\n".join(lines)


def located(place: Place) -> str:
    """AWS's way to write a place: `/States/Work/Retry[0]`; names are not escaped."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f"/{part}" for part in place)
    return text or "/"


@dataclass(slots=True)
class Findings:
    """Collects what a check finds, in order.

    Args:
        of_express: the machine is an EXPRESS one.
        query_language: of the whole machine.
    """

    of_express: bool = False
    query_language: str = "JSONPath"
    found: list[Diagnostic] = field(default_factory=list)

    def add(
        self,
        place: Place,
        message: str,
        *,
        code: str = SCHEMA,
        told: bool = True,
        expected: str = "",
        near: tuple[str, Iterable[str]] | None = None,
        at: Place | None = None,
        said_alone: bool = False,
    ) -> None:
        """Notes one thing.

        Args:
            place: AWS's location.
            message: AWS's.
            code: AWS's.
            told: does AWS tell the location?
            expected: in our words.
            near: the name found, and the names it may have been meant to be.
            at: the exact place, where AWS tells a wider one.
            said_alone: see Diagnostic.
        """
        nearest = difflib.get_close_matches(near[0], list(near[1]), 1, 0.6) if near else []
        self.found.append(
            Diagnostic(
                code=code,
                message=message,
                location=located(place) if told else None,
                place=place if at is None else at,
                expected=expected,
                nearest=nearest[0] if nearest else None,
                said_alone=said_alone,
            )
        )

    def warn(self, place: Place, message: str, code: str) -> None:
        """Notes what is allowed but hardly meant."""
        self.found.append(Diagnostic(code, message, located(place), place, "WARNING"))

    def type_of(self, place: Place, value: Any, kind: str) -> bool:
        """Notes a value that is not of the kind; says whether it is."""
        fits = {
            "STRING": isinstance(value, str),
            "OBJECT": isinstance(value, dict),
            "ARRAY": isinstance(value, list),
            "BOOLEAN": isinstance(value, bool),
        }[kind]
        if not fits:
            self.add(place, f"Expected value of type [{kind}]", expected=f"a value of type {kind.lower()}")
        return fits


def with_positions(found: list[Diagnostic], positions: dict[Place, Position]) -> list[Diagnostic]:
    """The same, each with the line and column of its place, or of the nearest part around it that is there."""

    def position(place: Place) -> Position | None:
        while place and place not in positions:
            place = place[:-1]
        return positions.get(place)

    return [replace(one, position=one.position or position(one.place)) for one in found]
