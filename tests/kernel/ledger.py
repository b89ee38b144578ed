"""What a store holds of one run, and what must be true of it.

A ``Ledger`` takes commits as a store does, all or nothing, and keeps a second run beside the live one: the state that the stored bytes
give. ``check`` compares the two, and everything stored beside the history with what ``kernel.derive`` says there must be.
"""

import copy
from typing import Any

import msgspec

from perdure.kernel import derive
from perdure.kernel.apply import apply, fold
from perdure.kernel.commit import Commit, Message, Task
from perdure.kernel.run import Run
from perdure.kernel.update import HIGHEST_REF, LOWEST_REF
from perdure.model import events as e
from perdure.model.events import AnyRecord
from perdure.model.options import RunStatus

encode = msgspec.msgpack.Encoder().encode
decode_records = msgspec.msgpack.Decoder(list[AnyRecord]).decode
decode_message = msgspec.msgpack.Decoder(Message).decode

_FIRST_FACT = 101


class Ledger:
    """One run as it is stored. ``shadow`` is folded from the bytes, commit by commit."""

    def __init__(self, namespace: str, run_id: str) -> None:
        self.namespace = namespace
        self.run_id = run_id
        self.commits: list[bytes] = []
        self.tasks: dict[int, Task] = {}
        self.timers: set[tuple[int, int]] = set()
        self.messages: dict[int, bytes] = {}
        self.listed: tuple | None = None
        self.shadow: Run | None = None

    def copy(self) -> "Ledger":
        """Another one that goes its own way from here."""
        other = Ledger(self.namespace, self.run_id)
        other.commits = list(self.commits)
        other.tasks = dict(self.tasks)
        other.timers = set(self.timers)
        other.messages = dict(self.messages)
        other.listed = self.listed
        other.shadow = self.fold()
        return other

    def records(self) -> list[AnyRecord]:
        """The whole history, facts included."""
        return [record for commit in self.commits for record in decode_records(commit)]

    def fold(self) -> Run:
        """The run as a new owner would see it."""
        return fold(self.namespace, self.run_id, self.records())

    def write(self, commit: Commit) -> None:
        """Take a commit, as a store does in one transaction."""
        if not commit.records:
            assert not commit.tasks and not commit.timers and not commit.messages, (
                "a commit without records changes something"
            )
            return
        encoded = encode(commit.records)
        self.commits.append(encoded)
        records = decode_records(encoded)
        if self.shadow is None:
            self.shadow = fold(self.namespace, self.run_id, records)
        else:
            for record in records:
                apply(self.shadow, record)
        for ref, task in commit.tasks.items():
            if task is None:
                self.tasks.pop(ref, None)
            else:
                self.tasks[ref] = task
        # As the stores do it: what is dropped first, then what is set.
        self.timers.difference_update(timer for timer, is_set in commit.timers.items() if not is_set)
        self.timers.update(timer for timer, is_set in commit.timers.items() if is_set)
        for message_ref, message in commit.messages.items():
            if message is None:
                self.messages.pop(message_ref, None)
            else:
                self.messages[message_ref] = encode(message)
        if commit.is_visible:
            self.listed = listed(self.shadow)

    def forget_message(self, ref: int) -> None:
        """A message has arrived, and nobody waits for an answer to it."""
        self.messages.pop(ref, None)

    def check(self, run: Run) -> None:
        """Raise ``AssertionError`` unless what is stored is what the live run says."""
        assert self.shadow == run, _difference(self.shadow, run)
        assert listed(run) == self.listed, f"lists show {self.listed}, the run is {listed(run)}"
        expected = derive.tasks(run)
        assert self.tasks.keys() == expected.keys(), f"tasks {sorted(self.tasks)} stored, {sorted(expected)} expected"
        for ref, task in self.tasks.items():
            other = expected[ref]
            if task != other:
                early = msgspec.structs.replace(task, due=other.due)
                assert early == other, f"task {task} stored, {other} expected"
                assert not other.due or 0 < task.due <= other.due, f"task {task} would wake too late, {other} expected"
        timers = derive.timers(run)
        assert self.timers == timers, f"timers {sorted(self.timers)} stored, {sorted(timers)} expected"
        waiting = derive.messages(run)
        if run.close is None:
            # Whom the end of an update concerns is told while the run goes on.
            lasting = {ref for ref in self.messages if not LOWEST_REF <= ref < HIGHEST_REF}
            assert lasting == waiting, f"messages {sorted(self.messages)} stored, {sorted(waiting)} expected"
        else:
            assert not self.tasks and not self.timers, "a closed run has something left to do"
            assert not waiting and not run.buffered
        assert run.buffered == [] or run.turn_in_hand, "events wait for a turn that nobody has"

    def check_whole(self) -> None:
        """As ``check``, for the history as a whole."""
        records = self.records()
        assert fold(self.namespace, self.run_id, records) == self.shadow
        ids = [event.id for event in numbered(records)]
        assert ids == list(range(1, len(ids) + 1)), f"event numbers have gaps: {ids}"
        assert_well_formed(numbered(records))


def numbered(records: list[AnyRecord]) -> list:
    """The events among records, in the order of their numbers, told by their tags alone."""
    events: list = []
    for record in records:
        if isinstance(record, e.EventFlushed):
            events.append(record.event)
        elif _tag(record) < _FIRST_FACT:
            events.append(record)
    return events


def _tag(record: AnyRecord) -> int:
    tag = record.__struct_config__.tag
    assert isinstance(tag, int)
    return tag


def listed(run: Run) -> tuple[RunStatus, int, dict, dict]:
    """What lists show of a run and must be told about."""
    return (
        run.status,
        run.close.time if run.close is not None else 0,
        copy.copy(run.memo),
        copy.copy(run.search_attributes),
    )


def assert_well_formed(events: list) -> None:
    """What holds for every history of Temporal's: each event that refers to an earlier one refers to one of the right kind."""
    by_id = {event.id: event for event in events}

    def refers(event: Any, attribute: str, *kinds: type, optional: bool = False) -> None:
        number = getattr(event, attribute)
        if optional and not number:
            return
        target: Any = by_id.get(number)
        assert isinstance(target, kinds) and number < event.id, f"{event}: {attribute} names {target}"

    started = 0
    ended: set[int] = set()
    for event in events:
        assert started in (0, 1)
        match event:
            case e.WorkflowTaskStarted():
                refers(event, "scheduled_event_id", e.WorkflowTaskScheduled)
                started += 1
            case e.WorkflowTaskTimedOut(started_event_id=0):
                refers(event, "scheduled_event_id", e.WorkflowTaskScheduled)
            case e.WorkflowTaskCompleted() | e.WorkflowTaskFailed() | e.WorkflowTaskTimedOut():
                refers(event, "scheduled_event_id", e.WorkflowTaskScheduled)
                refers(event, "started_event_id", e.WorkflowTaskStarted)
                assert event.started_event_id == event.id - 1, "something was numbered while a worker had the turn"
                started -= 1
            case e.ActivityTaskStarted():
                refers(event, "scheduled_event_id", e.ActivityTaskScheduled)
            case (
                e.ActivityTaskCompleted() | e.ActivityTaskFailed() | e.ActivityTaskTimedOut() | e.ActivityTaskCanceled()
            ):
                refers(event, "scheduled_event_id", e.ActivityTaskScheduled)
                optional = isinstance(event, e.ActivityTaskTimedOut | e.ActivityTaskCanceled)
                refers(event, "started_event_id", e.ActivityTaskStarted, optional=optional)
                assert event.scheduled_event_id not in ended, f"activity {event.scheduled_event_id} ended twice"
                ended.add(event.scheduled_event_id)
            case e.TimerFired() | e.TimerCanceled():
                refers(event, "started_event_id", e.TimerStarted)
                assert event.started_event_id not in ended, f"timer {event.started_event_id} ended twice"
                ended.add(event.started_event_id)
            case e.ChildWorkflowExecutionStarted() | e.StartChildWorkflowExecutionFailed():
                refers(event, "initiated_event_id", e.StartChildWorkflowExecutionInitiated)
            case (
                e.ChildWorkflowExecutionCompleted()
                | e.ChildWorkflowExecutionFailed()
                | e.ChildWorkflowExecutionCanceled()
                | e.ChildWorkflowExecutionTimedOut()
                | e.ChildWorkflowExecutionTerminated()
            ):
                refers(event, "initiated_event_id", e.StartChildWorkflowExecutionInitiated)
                refers(event, "started_event_id", e.ChildWorkflowExecutionStarted)
                assert event.initiated_event_id not in ended, f"child {event.initiated_event_id} closed twice"
                ended.add(event.initiated_event_id)
            case e.ExternalWorkflowExecutionSignaled() | e.SignalExternalWorkflowExecutionFailed():
                refers(event, "initiated_event_id", e.SignalExternalWorkflowExecutionInitiated)
                assert event.initiated_event_id not in ended, f"signal {event.initiated_event_id} was answered twice"
                ended.add(event.initiated_event_id)
            case e.ExternalWorkflowExecutionCancelRequested() | e.RequestCancelExternalWorkflowExecutionFailed():
                refers(event, "initiated_event_id", e.RequestCancelExternalWorkflowExecutionInitiated)
                assert event.initiated_event_id not in ended, (
                    f"cancellation {event.initiated_event_id} was answered twice"
                )
                ended.add(event.initiated_event_id)
            case e.WorkflowExecutionUpdateCompleted():
                refers(event, "accepted_event_id", e.WorkflowExecutionUpdateAccepted)
            case _:
                pass
        completed_id = getattr(event, "workflow_task_completed_event_id", 0)
        if completed_id and not isinstance(event, e.StartChildWorkflowExecutionFailed):
            refers(event, "workflow_task_completed_event_id", e.WorkflowTaskCompleted)
            between = [by_id[number] for number in range(completed_id + 1, event.id)]
            strangers = [other for other in between if not _is_of_command(other)]
            assert not strangers, f"{event} is of the turn completed at {completed_id}, and so is not {strangers[0]}"


def _is_of_command(event: object) -> bool:
    return hasattr(event, "workflow_task_completed_event_id") or isinstance(
        event, e.WorkflowExecutionUpdateAccepted | e.WorkflowExecutionUpdateCompleted
    )


def _difference(stored: Run | None, live: Run) -> str:
    if stored is None:
        return "nothing is stored"
    names = [name for name in Run.__struct_fields__ if getattr(stored, name) != getattr(live, name)]
    return "\n".join(
        ["folding the history does not give the state:"]
        + [
            f"  {name}: folded {getattr(stored, name)!r}\n  {' ' * len(name)}  live   {getattr(live, name)!r}"
            for name in names
        ]
    )
