"""What ``perdure asl`` shows of what is wrong, and of an execution."""

from pathlib import Path
from typing import Any

from perdure.languages.asl.checks import Diagnostic, check
from perdure.languages.asl.language import line_of
from perdure.model.errors import InvalidArgumentError

WIDEST = 400


def diagnostic_json(file: Path, found: Diagnostic) -> dict[str, Any]:
    """One line of ``--json``."""
    position = found.position
    return {
        "file": str(file),
        "line": position.line if position is not None else None,
        "column": position.column if position is not None else None,
        "severity": found.severity,
        "code": found.code,
        "message": found.message,
        "location": found.location,
        "json_path": found.json_path,
        "expected": found.expected or None,
        "nearest": found.nearest,
    }


def refuse_wrong(file: Path, text: str, *, is_express: bool) -> None:
    """Raises ``InvalidArgumentError`` with all that is wrong with a definition, if anything is."""
    found = check(text, type="EXPRESS" if is_express else "STANDARD")
    if wrong := [each for each in found if each.severity == "ERROR"]:
        raise InvalidArgumentError("\n".join(line_of(str(file), each) for each in wrong))


def event_line(event: dict[str, Any]) -> str:
    """One of AWS's events, for people; empty for those that say nothing new."""
    kind: str = event["type"]
    if (entered := event.get("stateEnteredEventDetails")) is not None:
        return f"{event['id']:>5}  > {entered['name']}  {_short(entered['input'])}"
    if (left := event.get("stateExitedEventDetails")) is not None:
        assigned = left.get("assignedVariables")
        also = "".join(f"  ${name} = {_short(value)}" for name, value in assigned.items()) if assigned else ""
        return f"{event['id']:>5}  < {left['name']}  {_short(left['output'])}{also}"
    for name, details in event.items():
        if name.endswith("EventDetails") and isinstance(details, dict) and ("error" in details or "cause" in details):
            return f"{event['id']:>5}  ! {kind}  {details.get('error', '')}: {_short(details.get('cause', ''))}"
    return ""


def _short(text: str) -> str:
    return text if len(text) <= WIDEST else f"{text[:WIDEST]}... ({len(text):,} characters)"
