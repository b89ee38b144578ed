"""Why a run is not moving, as clients show it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from perdure.model.explanation import CodeWait, Explanation, Wait
from perdure.model.failures import Failure
from perdure.model.options import RunStatus
from perdure.sdk.converter import Converter
from perdure.sdk.descriptions import to_time, to_time_or_none
from perdure.sdk.failures import from_failure


class Times(Protocol):
    """How moments are written, in ns since 1970."""

    def since(self, ns: int, /) -> str:
        """A moment of the past."""
        ...

    def until(self, ns: int, /) -> str:
        """A moment to come."""
        ...


def facts_of(wait: Wait, times: Times) -> list[tuple[str, str]]:
    """What is known of a wait but for its last failure and heartbeat details, by name; empty where there is nothing."""
    return [
        ("state", wait.state),
        ("since", times.since(wait.since) if wait.since else ""),
        ("ends", times.until(wait.until) if wait.until else ""),
        ("times out", times.until(wait.expires) if wait.expires else ""),
        ("last heartbeat", times.since(wait.heartbeat_time) if wait.heartbeat_time else ""),
        ("ended by", wait.ends_by),
    ]


class RunExplanation:
    """What a run waits for, as it was when it was asked for. ``str()`` is good to print."""

    def __init__(self, explanation: Explanation, converter: Converter) -> None:
        self._explanation = explanation
        self._converter = converter

    @property
    def id(self) -> str:
        """The workflow id."""
        return self._explanation.address.workflow_id

    @property
    def run_id(self) -> str:
        """The run's own id."""
        return self._explanation.address.run_id

    @property
    def type(self) -> str:
        """The workflow type."""
        return self._explanation.workflow_type

    @property
    def status(self) -> RunStatus:
        """Where the run stands."""
        return self._explanation.status

    @property
    def waits(self) -> Sequence[Wait]:
        """All that it waits for, what holds it up first; empty once it is closed. Times are ns since 1970."""
        return self._explanation.waits

    @property
    def code(self) -> Sequence[CodeWait]:
        """Where its code stands, task by task; empty where no worker could be asked."""
        return self._explanation.code

    @property
    def signals(self) -> Sequence[str]:
        """The signals that its code handles or waits for now."""
        return self._explanation.signals

    @property
    def updates(self) -> Sequence[str]:
        """The updates that its code handles now."""
        return self._explanation.updates

    @property
    def expires(self) -> datetime | None:
        """When a timeout ends the whole run, in UTC; None for never."""
        return to_time_or_none(self._explanation.expires)

    @property
    def build_id(self) -> str:
        """The version of the code that took its last turn."""
        return self._explanation.build_id

    @property
    def pinned_build_id(self) -> str:
        """The only version of the code that may take its turns; empty for any."""
        return self._explanation.pinned_build_id

    def __str__(self) -> str:
        told = self._explanation
        times = _Utc(told.time)
        lines = [f"{self.type} {self.id!r} (run {self.run_id}) is {self.status}."]
        if told.waits:
            lines[0] = f"{lines[0][:-1]} and waits for:"
        for wait in told.waits:
            lines.append(f"- {wait.what}")
            facts = [*facts_of(wait, times), ("last error", _cause(wait.failure, self._converter))]
            lines += [f"    {name}: {text}" for name, text in facts if text]
        if told.code:
            lines.append("Its code waits for:")
            lines += [f"- {each} ({each.task})" for each in told.code]
        if told.pinned_build_id:
            lines.append(
                f"It is pinned to build {told.pinned_build_id}; its last turn was taken by {told.build_id or 'none'}."
            )
        if told.expires:
            lines.append(f"It times out {times.until(told.expires)}.")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<explanation of {self.id!r}: {len(self.waits)} waits>"


class _Utc:
    def __init__(self, now: int) -> None:
        self._now = now

    def since(self, ns: int) -> str:
        return f"{_moment(ns)} ({_duration(self._now - ns)} ago)"

    def until(self, ns: int) -> str:
        left = ns - self._now
        return f"{_moment(ns)} ({'in' if left >= 0 else 'overdue by'} {_duration(abs(left))})"


def _moment(ns: int) -> str:
    try:
        return to_time(ns).isoformat(" ", "seconds")
    except (OverflowError, ValueError):
        return "beyond the year 9999"


def _duration(ns: int) -> str:
    return str(timedelta(seconds=round(max(0, ns) / 1e9)))


def _cause(failure: Failure | None, converter: Converter) -> str:
    if failure is None:
        return ""
    error = from_failure(failure, converter)
    return f"{failure.type or type(error).__name__}: {error}"
