"""What replays came to, as text and as JSON."""

from collections.abc import Mapping
from typing import Any

from perdure.cli.output import BAD, FAINT, GOOD, STRONG, Output
from perdure.cli.replaying import Outcome, Verdict
from perdure.cli.values import jsonable, visible
from perdure.sdk.matching import HINT


def verdict_json(verdict: Verdict) -> dict[str, Any]:
    """A line of ``replay --json``."""
    shown: dict[str, Any] = jsonable(verdict)
    return {"kind": "run", **shown, "outcome": verdict.outcome.value}


def summary_json(counts: Mapping[Outcome, int]) -> dict[str, Any]:
    """The last line of ``replay --json``."""
    return {
        "kind": "summary",
        "runs": sum(counts.values()),
        **{outcome.value: count for outcome, count in counts.items()},
    }


def print_verdict(output: Output, verdict: Verdict) -> None:
    """A run that the code would break, where, and what the code does instead."""
    where = f"  at event {verdict.event_id} of {verdict.event_count}" if verdict.event_id else ""
    output.line(
        (visible(verdict.workflow_id), STRONG),
        (f"  {visible(verdict.workflow_type)}  run {visible(verdict.run_id)}" if verdict.run_id else "", FAINT),
        (where, BAD),
    )
    # What to do is the same each time, and is said once in the end.
    output.line("  ", visible(verdict.problem.removesuffix(HINT).rstrip()))


def print_summary(output: Output, app: str, counts: Mapping[Outcome, int]) -> None:
    """The last line."""
    runs, broken, unknown = sum(counts.values()), counts[Outcome.BROKEN], counts[Outcome.UNKNOWN_TYPE]
    skipped = f" {unknown:,} of types that it does not have were left out." if unknown else ""
    if not runs:
        output.line("There was nothing to replay.")
    elif broken:
        output.line((f"{visible(app)} would break {broken:,} of {runs:,} runs.", BAD), skipped)
        output.line(HINT)
    else:
        output.line((f"{visible(app)} fits all of {runs - unknown:,} runs.", GOOD), skipped)
