"""What a verification found, for people and as JSON."""

from collections.abc import Mapping
from typing import Any

from perdure.cli.output import BAD, FAINT, GOOD, Cell, Output
from perdure.cli.times import TimeStyle, duration
from perdure.cli.values import attribute_text, jsonable, visible
from perdure.engine.verify import Finding

_LIMIT = 300


def finding_json(finding: Finding) -> dict[str, Any]:
    """One line of ``verify --json``; ``kind`` tells it from the summary."""
    return {"kind": "finding", **jsonable(finding)}


def summary_json(checked_runs: int, findings: int, seconds: float) -> dict[str, Any]:
    """The last line of ``verify --json``."""
    return {"kind": "summary", "runs": checked_runs, "findings": findings, "duration_ns": int(seconds * 1e9)}


def print_finding(output: Output, style: TimeStyle, finding: Finding) -> None:
    """Which run, what is stored, and what its history says."""
    where: list[Cell] = []
    if finding.run_id:
        where = [visible(finding.workflow_id), (f"  run {visible(finding.run_id)}", FAINT)]
        if finding.namespace != "default":
            where.append((f"  namespace {visible(finding.namespace)}", FAINT))
        where.append("  ")
    elif finding.key:
        where = [f"run number {finding.key}  "]
    what = " ".join(part for part in (finding.place, visible(finding.name)) if part)
    output.line(*where, (f"{what}: {visible(finding.problem)}", BAD))
    output.fields(
        [
            ("  stored", _attributes(finding.stored, style)),
            ("  history", _attributes(finding.expected, style)),
        ]
    )


def print_summary(output: Output, file: str, checked_runs: int, findings: int, seconds: float) -> None:
    """The last line."""
    runs = f"{checked_runs:,} run{'s' * (checked_runs != 1)} in {duration(int(seconds * 1e9))}"
    if findings:
        output.line(
            (f"{findings:,} finding{'s' * (findings != 1)}", BAD),
            f" in {runs}. Restore a backup; if nothing has damaged {visible(file)}, please report this.",
        )
    else:
        output.line(("All is as it must be", GOOD), f": {runs}.")


def _attributes(attributes: Mapping[str, Any] | None, style: TimeStyle) -> str:
    if attributes is None:
        return ""
    # Here "nothing" is an answer too, and a timer's due time is a moment.
    texts = (
        (name.replace("_", " "), attribute_text("due_time" if name == "due" else name, value, style, _LIMIT))
        for name, value in attributes.items()
    )
    return ", ".join(f"{name} {text or 'none'}" for name, text in texts)
