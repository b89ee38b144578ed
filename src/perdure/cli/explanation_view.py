"""Why a run is not moving, as text and as JSON."""

from collections.abc import Sequence
from typing import Any

from perdure.cli.output import BAD, FAINT, STATUS_STYLES, STRONG, Output
from perdure.cli.times import TimeStyle
from perdure.cli.values import UNLIMITED, jsonable, status_text, visible
from perdure.cli.waiting import print_wait
from perdure.model.explanation import Explanation

_LIMIT = 320


def explanation_json(explanation: Explanation) -> dict[str, Any]:
    """An explanation as a program sees it. What only the run's code can tell is empty where that could not be asked."""
    shown: dict[str, Any] = jsonable(explanation)
    return {**shown.pop("address"), **shown}


def print_explanation(output: Output, style: TimeStyle, explanation: Explanation, *, full: bool) -> None:
    """What it waits for, one paragraph for each; ``full`` cuts no value short."""
    status = explanation.status
    output.line(
        (visible(explanation.address.workflow_id), STRONG),
        "  ",
        (status_text(status), STATUS_STYLES[status]),
        (f"  {visible(explanation.workflow_type)}, run {visible(explanation.address.run_id)}", FAINT),
    )
    if not explanation.waits:
        output.line("It is closed: it waits for nothing.")
        return
    if explanation.cancel_requested:
        output.line(("It was asked to stop.", BAD))
    if explanation.pinned_build_id:
        output.line(f"It is pinned to build {visible(explanation.pinned_build_id)}.")
    if explanation.expires:
        output.line(f"It times out {style.until(explanation.expires)}.")
    output.heading("Waits for")
    for wait in explanation.waits:
        print_wait(output, wait, style, UNLIMITED if full else _LIMIT)
    if explanation.code:
        output.heading("In its code")
        output.fields([(visible(code.task), visible(str(code))) for code in explanation.code])
    _print_handled(output, "signals", explanation.signals)
    _print_handled(output, "updates", explanation.updates)


def _print_handled(output: Output, kind: str, names: Sequence[str]) -> None:
    if names:
        output.line(f"  {kind} it handles: {visible(', '.join(names))}")
