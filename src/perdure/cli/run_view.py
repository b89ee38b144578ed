"""One run, whole: for people, and as JSON."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from perdure.cli.output import BAD, STATUS_STYLES, STRONG, Cell, Output
from perdure.cli.progress import MEMO_KEY, progress_of
from perdure.cli.sources import Source
from perdure.cli.times import TimeStyle, duration
from perdure.cli.values import (
    UNLIMITED,
    address_text,
    byte_count,
    enum_text,
    failure_chain,
    failure_text,
    jsonable,
    payload_text,
    payloads_text,
    status_text,
    visible,
)
from perdure.cli.waiting import wait_line
from perdure.model import events as e
from perdure.model.affinity import Affinity
from perdure.model.explanation import Wait, WaitKind
from perdure.model.failures import Failure, RetryState, TimeoutType
from perdure.model.ids import RunAddress
from perdure.model.payloads import Payload, Payloads
from perdure.model.service import RunDescription, RunSummary

_LIMIT = 300
_WAITS = 20

Fields = list[tuple[str, Cell]]


class WholeRun(msgspec.Struct, frozen=True):
    """All that is shown of a run. ``close`` is its last event, once it is closed; ``sent`` are signals and requests to
    cancel other runs that have not arrived."""

    description: RunDescription
    started: e.WorkflowExecutionStarted
    close: e.Event | None
    waits: Sequence[Wait]
    sent: Sequence[e.Event]

    @property
    def summary(self) -> RunSummary:
        """What lists show."""
        return self.description.summary


async def read(source: Source, address: RunAddress) -> WholeRun:
    """One run. Raises ``NotFoundError``."""
    description = await source.describe(address)
    first = await source.history(address, after=0, limit=1, wait=False)
    started = first.events[0]
    assert isinstance(started, e.WorkflowExecutionStarted)
    summary, close = description.summary, None
    if summary.status.is_closed:
        last = await source.history(address, after=summary.history_length - 1, limit=1, wait=False)
        close = last.events[-1]
    waits = (await source.explain(address)).waits if close is None else ()
    sent: list[e.Event] = []
    for wait in waits:
        if wait.kind in (WaitKind.SIGNAL, WaitKind.CANCELLATION) and wait.ref:
            sent += (await source.history(address, after=wait.ref - 1, limit=1, wait=False)).events
    return WholeRun(description, started, close, waits, sent)


def run_json(run: WholeRun) -> dict[str, Any]:
    """A run as a program sees it: ``RunDescription`` with its summary on the same level, and how it began and ended."""
    description: dict[str, Any] = jsonable(run.description)
    shown: dict[str, Any] = description.pop("summary")
    shown["duration_ns"] = run.close.time - run.started.time if run.close is not None else None
    shown |= description
    signals, cancels = e.SignalExternalWorkflowExecutionInitiated, e.RequestCancelExternalWorkflowExecutionInitiated
    shown["external_signals"] = [jsonable(event) for event in run.sent if isinstance(event, signals)]
    shown["external_cancels"] = [jsonable(event) for event in run.sent if isinstance(event, cancels)]
    shown["progress"] = jsonable(progress_of(run.summary.memo))
    shown["input"] = jsonable(run.started.input)
    result, failure = _outcome(run)
    shown["result"] = jsonable(result)
    shown["failure"] = jsonable(failure)
    shown["new_run_id"] = getattr(run.close, "new_execution_run_id", "")
    return shown


def print_run(output: Output, style: TimeStyle, run: WholeRun, *, full: bool) -> None:
    """All about a run.

    Without ``full``, long values are cut and of many waits only the first are shown.
    """
    limit, summary = UNLIMITED if full else _LIMIT, run.summary
    status: Cell = status_text(summary.status), STATUS_STYLES[summary.status]
    output.line((visible(summary.workflow_id), STRONG), "  ", status)
    output.fields(_facts(run, style))
    _print_waits(output, style, run, full)
    result, failure = _outcome(run)
    _print_values(output, "Input", _numbered(run.started.input), limit)
    if result is not None:
        _print_values(output, "Result", _numbered(result), limit)
    if failure is not None:
        _print_failure(output, failure, limit, full)
    _print_values(output, "Memo", {name: value for name, value in summary.memo.items() if name != MEMO_KEY}, limit)
    _print_values(output, "Search attributes", summary.search_attributes, limit)


def _outcome(run: WholeRun) -> tuple[Payloads | None, Failure | None]:
    """The result of a completed run, the failure of a failed one."""
    match run.close:
        case e.WorkflowExecutionCompleted(result=result):
            return result, None
        case e.WorkflowExecutionFailed(failure=failure):
            return None, failure
        case _:
            return None, None


def _facts(run: WholeRun, style: TimeStyle) -> Fields:
    started, summary, description = run.started, run.summary, run.description
    progress = progress_of(summary.memo)
    closed = ""
    if run.close is not None:
        closed = f"{style.moment(run.close.time, milliseconds=True)}, after {duration(run.close.time - started.time)}"
    return [
        ("type", visible(started.workflow_type)),
        ("run", visible(summary.run_id)),
        ("namespace", visible(summary.namespace)),
        ("task queue", visible(started.task_queue)),
        (
            "started",
            f"{style.moment(started.time, milliseconds=True)}, {duration(max(0, style.now - started.time))} ago",
        ),
        ("closed", closed),
        ("outcome", _closing(run)),
        ("progress", "" if progress is None else progress.text()),
        ("cancellation", ("requested", BAD) if description.cancel_requested else ""),
        ("must end", _deadlines(run, style)),
        ("parent", "" if started.parent is None else address_text(started.parent)),
        ("continues", _earlier_runs(run)),
        ("build", visible(description.build_id)),
        ("pinned to", visible(f"build {description.pinned_build_id}" if description.pinned_build_id else "")),
        ("affinity", _affinity(started.affinity)),
        ("history", f"{summary.history_length:,} events, {byte_count(description.history_size_bytes)}"),
    ]


def _affinity(affinity: Affinity | None) -> str:
    """Which workers take its turns."""
    if affinity is None:
        return ""
    preferred = ", ".join(f"{name}={text}" for name, text in affinity.preferred)
    parts = (f"only {affinity}" if affinity.required else "", f"first {preferred}" if preferred else "")
    return visible("workers with " + "; ".join(part for part in parts if part))


def _deadlines(run: WholeRun, style: TimeStyle) -> str:
    started = run.started
    named = (
        ("this run", started.workflow_run_expiration_time),
        ("with all its retries", started.workflow_execution_expiration_time),
    )
    return "; ".join(f"{name} {style.until(due)}" for name, due in named if due and run.close is None)


def _earlier_runs(run: WholeRun) -> str:
    started = run.started
    if not started.continued_execution_run_id:
        return ""
    attempt = f"attempt {started.attempt}; " if started.attempt > 1 else ""
    first = visible(started.first_execution_run_id)
    return f"{attempt}run {visible(started.continued_execution_run_id)}, the first was {first}"


def _closing(run: WholeRun) -> str:
    """What the closing event says besides a result or a failure."""
    close = run.close
    parts: list[str] = []
    match close:
        case e.WorkflowExecutionTerminated():
            parts = [visible(close.reason), f"by {visible(close.identity)}" if close.identity else ""]
            parts.append(payloads_text(close.details, _LIMIT) if close.details else "")
        case e.WorkflowExecutionCanceled():
            parts = [payloads_text(close.details, _LIMIT) if close.details else ""]
        case e.WorkflowExecutionFailed() | e.WorkflowExecutionTimedOut():
            parts = [_no_retry(close.retry_state)]
        case _:
            pass
    successor = getattr(close, "new_execution_run_id", "")
    parts.append(f"goes on as run {visible(successor)}" if successor else "")
    return ", ".join(part for part in parts if part)


def _no_retry(state: RetryState) -> str:
    """Why there is no further attempt, where that needs saying."""
    if state in (RetryState.UNSPECIFIED, RetryState.IN_PROGRESS, RetryState.RETRY_POLICY_NOT_SET):
        return ""
    return f"not retried: {enum_text(state)}"


def _print_waits(output: Output, style: TimeStyle, run: WholeRun, full: bool) -> None:
    waits = run.waits
    if not waits:
        return
    output.heading("Waits for")
    output.fields([(visible(wait.what), wait_line(wait, style)) for wait in (waits if full else waits[:_WAITS])])
    if len(waits) > _WAITS and not full:
        output.line(f"  and {len(waits) - _WAITS:,} more; see them with --full")


def _print_failure(output: Output, failure: Failure, limit: int, full: bool) -> None:
    output.heading("Failure")
    for link in failure_chain(failure):
        text: Cell = (failure_text(link, limit), BAD) if link is failure else f"caused by {failure_text(link, limit)}"
        output.line("  ", text)
        facts: Fields = [
            ("  activity", visible(link.activity_type)),
            ("  child", visible(link.workflow_id)),
            ("  timeout", enum_text(link.timeout_type) if link.timeout_type is not TimeoutType.UNSPECIFIED else ""),
            ("  retry", _no_retry(link.retry_state)),
            ("  details", payloads_text(link.details, limit) if link.details else ""),
        ]
        output.fields(facts)
        if full:
            for line in link.stack_trace.splitlines():
                output.line("    ", visible(line))


def _numbered(values: Payloads) -> dict[str, Payload]:
    return {str(number): value for number, value in enumerate(values, 1)}


def _print_values(output: Output, title: str, values: Mapping[str, Payload], limit: int) -> None:
    if values:
        output.heading(title)
        output.fields([(visible(name), payload_text(value, limit)) for name, value in values.items()])
