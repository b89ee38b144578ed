"""Programs that do something different for every seed, and always the same for the same history.

What a program asks for in a turn depends on its seed, on the number of turns before, and on what its history says is
pending: nothing else. So a new program that is given the history must ask again for what the events say was asked for,
and ``feed`` insists on it. This is how the simulation notices a lost, doubled or misplaced event, whatever the kernel
thinks of it.
"""

import json
from random import Random

from perdure.model import commands as c
from perdure.model import events as e
from perdure.model.failures import Failure
from perdure.model.ids import RunAddress
from perdure.model.options import SECOND_NS, IdReuse, ParentClose, RetryPolicy
from perdure.model.payloads import Payload, Payloads

MAX_DEPTH = 2
MAX_GENERATION = 2


class NonDeterminism(AssertionError):
    """The history is not what the program did."""


def plan_input(seed: int, depth: int = 0, generation: int = 0, note: int = 0) -> Payloads:
    """A workflow's arguments. ``note`` is for forks to change: programs do not read it."""
    plan = {"seed": seed, "depth": depth, "generation": generation, "note": note}
    return (Payload(json.dumps(plan).encode()),)


class Program:
    """One run's code. ``seen`` counts the events it was given."""

    def __init__(self, started: e.WorkflowExecutionStarted) -> None:
        plan = json.loads(started.input[0].data)
        self.seed: int = plan["seed"]
        self.depth: int = plan["depth"]
        self.generation: int = plan["generation"]
        rng = Random(self.seed)
        self.length = rng.choice((1, 2, 3, 4, 6, 9))
        self.signals_wanted = rng.choice((0, 0, 0, 1, 2))
        self.heeds_cancellation = rng.random() < 0.9
        self.seen = 0
        self.turns = 0
        self.activities: dict[int, str] = {}
        self.cancelled_activities: set[int] = set()
        self.timers: dict[str, int] = {}
        self.children: dict[int, e.StartChildWorkflowExecutionInitiated] = {}
        self.started_children: dict[int, str] = {}
        self.externals: set[int] = set()
        self.signals = 0
        self.signal_ids: set[str] = set()
        self.cancel_requested = False
        self.cleaned_up = False
        self.open_updates: list[str] = []
        self.expected: list[c.AnyCommand] = []

    # --- the turn

    def turn(self, events: list, updates: list[e.UpdateAdmitted]) -> list[c.AnyCommand]:
        """The commands of a turn; the last of ``events`` is its ``WorkflowTaskStarted``."""
        self.feed(events[:-1])
        assert isinstance(events[-1], e.WorkflowTaskStarted)
        self._expect_all_came(events[-1])
        commands = self.decide([update.update_id for update in updates])
        self.expected = [command for command in commands if not isinstance(command, c.RejectUpdate)]
        self.seen = events[-1].id
        return commands

    def feed(self, events: list) -> None:
        """Take events in, repeating the turns among them that were completed."""
        for index, event in enumerate(events):
            self.seen = event.id
            if isinstance(event, e.WorkflowTaskStarted):
                self._expect_all_came(event)
                after = events[index + 1] if index + 1 < len(events) else None
                if isinstance(after, e.WorkflowTaskCompleted):
                    self.expected = self.decide(_accepted(events, index + 2))
            else:
                self._take(event)

    def waits(self) -> str:
        """What the program waits for; empty if nothing could ever make it go on."""
        if self.activities or self.timers or self.externals:
            return "its own"
        if self.children:
            return "children"
        if self.turns >= self.length and self.signals < self.signals_wanted:
            return "signals"
        return ""

    # --- what it does

    def decide(self, updates: list[str]) -> list[c.AnyCommand]:
        """The commands of the present turn, given the updates that it brings."""
        rng = Random(self.seed * 1009 + self.turns)
        commands: list[c.AnyCommand] = []
        waits = self._has_pending()
        if self.cancel_requested and self.heeds_cancellation:
            waits = self._stop(rng, commands)
        elif self.turns < self.length:
            waits = self._work(rng, commands) or self._has_pending()
            if not waits:
                commands.append(self._timer(rng, "last"))
                waits = True
        elif self.signals < self.signals_wanted:
            waits = True
        elif not waits:
            self._close(rng, commands)
        if waits and rng.random() < 0.02:
            self._close(rng, commands)
            return commands
        if waits:
            is_last = self.turns >= self.length
            answers: list[c.AnyCommand] = [
                c.CompleteUpdate(update_id, (Payload(b"1"),))
                for update_id in self.open_updates
                if is_last or rng.random() < 0.5
            ]
            commands = answers + commands
            for update_id in updates:
                commands += self._answer(update_id, is_last)
        return commands

    def _has_pending(self) -> bool:
        return bool(self.activities or self.timers or self.children or self.externals)

    def _work(self, rng: Random, commands: list[c.AnyCommand]) -> bool:
        waits = False
        for index in range(rng.choice((0, 1, 1, 2, 3))):
            name = f"{self.turns}-{index}"
            kind = rng.random()
            if kind < 0.40:
                commands.append(self._activity(rng, name))
                waits = True
            elif kind < 0.55:
                commands.append(self._timer(rng, name))
                waits = True
            elif kind < 0.67:
                if self.depth < MAX_DEPTH:
                    commands.append(self._child(rng, name))
                    waits = True
            elif kind < 0.75:
                commands.append(self._signal(rng))
                waits = True
            elif kind < 0.79:
                target = RunAddress("", self._target(rng))
                commands.append(c.RequestCancelExternalWorkflowExecution(target, rng.random() < 0.3, "why not"))
                waits = True
            elif kind < 0.85:
                commands += self._change_mind(rng)
            elif kind < 0.90:
                commands.append(c.RecordMarker("note", {"at": (Payload(name.encode()),)}))
            elif kind < 0.95:
                commands.append(c.ModifyWorkflowProperties({rng.choice("ab"): Payload(name.encode())}))
            else:
                name = rng.choice(tuple(_ATTRIBUTES))
                commands.append(c.UpsertWorkflowSearchAttributes({name: rng.choice(_ATTRIBUTES[name])}))
        return waits

    def _activity(self, rng: Random, name: str) -> c.AnyCommand:
        policy = RetryPolicy(
            initial_ns=rng.choice((0, SECOND_NS, 3 * SECOND_NS)),
            maximum_ns=10 * SECOND_NS,
            max_attempts=rng.choice((0, 1, 1, 2, 3)),
            non_retryable=("Fatal",) if rng.random() < 0.5 else (),
        )
        return c.ScheduleActivityTask(
            name,
            rng.choice(("local", "remote")),
            rng.choice(("", "queue")),
            (),
            rng.choice((0, 0, 30, 300)) * SECOND_NS,
            rng.choice((0, 0, 20)) * SECOND_NS,
            rng.choice((0, 5, 60)) * SECOND_NS,
            rng.choice((0, 0, 4)) * SECOND_NS,
            policy,
        )

    def _timer(self, rng: Random, name: str) -> c.AnyCommand:
        return c.StartTimer(name, rng.choice((1, 5, 5, 30, 200)) * SECOND_NS)

    def _child(self, rng: Random, name: str) -> c.AnyCommand:
        workflow_id = rng.choice(TARGETS) if rng.random() < 0.15 else f"child-{self.seed}-{name}"
        return c.StartChildWorkflowExecution(
            workflow_id,
            rng.choice(("local", "local", "remote")),
            "",
            input=plan_input(rng.randrange(1 << 30), self.depth + 1),
            workflow_run_timeout_ns=rng.choice((0, 0, 40)) * SECOND_NS,
            workflow_execution_timeout_ns=rng.choice((0, 0, 90)) * SECOND_NS,
            parent_close_policy=rng.choice(tuple(ParentClose)),
            workflow_id_reuse_policy=rng.choice(tuple(IdReuse)),
            retry_policy=RetryPolicy(max_attempts=2) if rng.random() < 0.2 else None,
        )

    def _signal(self, rng: Random) -> c.AnyCommand:
        return c.SignalExternalWorkflowExecution(
            RunAddress("", self._target(rng)), "go", child_workflow_only=rng.random() < 0.2
        )

    def _target(self, rng: Random) -> str:
        names = [*TARGETS, "nobody", *(child.workflow_id for child in self.children.values())]
        return rng.choice(names)

    def _change_mind(self, rng: Random) -> list[c.AnyCommand]:
        activities = [ref for ref in self.activities if ref not in self.cancelled_activities]
        if activities and rng.random() < 0.6:
            ref = rng.choice(activities)
            self.cancelled_activities.add(ref)
            return [c.RequestCancelActivityTask(ref)]
        # A timer that would be cancelled and started again in one turn is left alone.
        if self.timers:
            name = rng.choice(list(self.timers))
            if name in self.timers:
                del self.timers[name]
                return [c.CancelTimer(name)]
        return []

    def _stop(self, rng: Random, commands: list[c.AnyCommand]) -> bool:
        for ref in self.activities:
            if ref not in self.cancelled_activities:
                self.cancelled_activities.add(ref)
                commands.append(c.RequestCancelActivityTask(ref))
        for name in self.timers:
            commands.append(c.CancelTimer(name))
        self.timers.clear()
        for ref, child in self.children.items():
            if ref in self.started_children and rng.random() < 0.5:
                commands.append(c.RequestCancelExternalWorkflowExecution(RunAddress("", child.workflow_id), True))
        if not self.cleaned_up:
            self.cleaned_up = True
            commands.append(self._activity(rng, f"clean-up-{self.turns}"))
            return True
        if self.activities or self.externals or len(commands) > 0:
            return True
        commands.append(c.CancelWorkflowExecution((Payload(b"1"),)))
        return False

    def _close(self, rng: Random, commands: list[c.AnyCommand]) -> None:
        kind = rng.random()
        if kind < 0.15 and self.generation < MAX_GENERATION:
            next_input = plan_input(rng.randrange(1 << 30), self.depth, self.generation + 1)
            backoff = rng.choice((0, 0, 7)) * SECOND_NS
            commands.append(c.ContinueAsNewWorkflowExecution(input=next_input, backoff_start_interval_ns=backoff))
        elif kind < 0.35:
            commands.append(c.FailWorkflowExecution(Failure("no luck", type=rng.choice(("Fatal", "Bad luck")))))
        else:
            commands.append(c.CompleteWorkflowExecution((Payload(b"42"),)))

    def _answer(self, update_id: str, is_last: bool) -> list[c.AnyCommand]:
        if rejects(update_id):
            return [c.RejectUpdate(update_id, Failure("not like this"))]
        if is_last or update_id.endswith(("1", "3")):
            return [c.AcceptUpdate(update_id), c.CompleteUpdate(update_id, (Payload(b"2"),))]
        return [c.AcceptUpdate(update_id)]

    # --- what it learns

    def _take(self, event: e.Event) -> None:
        if type(event) in _COMMANDS:
            self._match(event)
        else:
            self._expect_nothing_between(event)
        match event:
            case e.WorkflowTaskCompleted():
                self.turns += 1
            case e.ActivityTaskScheduled():
                self.activities[event.id] = event.activity_id
            case (
                e.ActivityTaskCompleted() | e.ActivityTaskFailed() | e.ActivityTaskTimedOut() | e.ActivityTaskCanceled()
            ):
                self.cancelled_activities.discard(event.scheduled_event_id)
                del self.activities[event.scheduled_event_id]
            case e.TimerStarted():
                self.timers[event.timer_id] = event.id
            case e.TimerFired():
                del self.timers[event.timer_id]
            case e.StartChildWorkflowExecutionInitiated():
                self.children[event.id] = event
            case e.ChildWorkflowExecutionStarted():
                assert event.initiated_event_id in self.children
                self.started_children[event.initiated_event_id] = event.run_id
            case (
                e.StartChildWorkflowExecutionFailed()
                | e.ChildWorkflowExecutionCompleted()
                | e.ChildWorkflowExecutionFailed()
                | e.ChildWorkflowExecutionCanceled()
                | e.ChildWorkflowExecutionTimedOut()
                | e.ChildWorkflowExecutionTerminated()
            ):
                del self.children[event.initiated_event_id]
                self.started_children.pop(event.initiated_event_id, None)
            case e.SignalExternalWorkflowExecutionInitiated() | e.RequestCancelExternalWorkflowExecutionInitiated():
                self.externals.add(event.id)
            case (
                e.SignalExternalWorkflowExecutionFailed()
                | e.ExternalWorkflowExecutionSignaled()
                | e.RequestCancelExternalWorkflowExecutionFailed()
                | e.ExternalWorkflowExecutionCancelRequested()
            ):
                self.externals.remove(event.initiated_event_id)
            case e.WorkflowExecutionSignaled():
                assert not event.request_id or event.request_id not in self.signal_ids, (
                    f"signal {event.request_id} came twice"
                )
                self.signal_ids.add(event.request_id)
                self.signals += 1
            case e.WorkflowExecutionCancelRequested():
                self.cancel_requested = True
            case e.WorkflowExecutionUpdateAccepted():
                self.open_updates.append(event.protocol_instance_id)
            case e.WorkflowExecutionUpdateCompleted():
                self.open_updates.remove(event.update_id)
            case _:
                pass

    def _match(self, event: e.Event) -> None:
        if not self.expected:
            raise NonDeterminism(f"the history has {event}, the program asked for nothing more")
        command = self.expected.pop(0)
        kind, attribute = _COMMANDS[type(event)]
        theirs = "update_id" if isinstance(command, c.AcceptUpdate) else attribute
        if not isinstance(command, kind) or (attribute and getattr(event, attribute) != getattr(command, theirs)):
            raise NonDeterminism(f"the history has {event}, the program asked for {command}")

    def _expect_all_came(self, event: e.Event) -> None:
        if self.expected:
            raise NonDeterminism(
                f"the program asked for {self.expected[0]}; the history has no such event before {event}"
            )

    def _expect_nothing_between(self, event: e.Event) -> None:
        if self.expected and not isinstance(event, e.WorkflowTaskCompleted | e.WorkflowTaskScheduled):
            raise NonDeterminism(f"{event} comes before the event of {self.expected[0]}")


TARGETS = ("w0", "w1", "w2")
_UNSET = Payload(b"", "binary/null")
_ATTRIBUTES = {"a": (Payload(b"1"), Payload(b"-2"), _UNSET), "b": (Payload(b'"x"'), Payload(b'"y"'), _UNSET)}


def rejects(update_id: str) -> bool:
    """Whether every program rejects this update."""
    return update_id.endswith("0")


def _accepted(events: list, start: int) -> list[str]:
    """The updates that the turn accepted whose commands' events begin at index ``start``."""
    accepted = []
    for event in events[start:]:
        if isinstance(event, e.WorkflowExecutionUpdateAccepted):
            accepted.append(event.protocol_instance_id)
        elif type(event) not in _COMMANDS:
            break
    return accepted


_COMMANDS: dict[type, tuple[type, str]] = {
    e.ActivityTaskScheduled: (c.ScheduleActivityTask, "activity_id"),
    e.ActivityTaskCancelRequested: (c.RequestCancelActivityTask, "scheduled_event_id"),
    e.TimerStarted: (c.StartTimer, "timer_id"),
    e.TimerCanceled: (c.CancelTimer, "timer_id"),
    e.MarkerRecorded: (c.RecordMarker, "details"),
    e.UpsertWorkflowSearchAttributes: (c.UpsertWorkflowSearchAttributes, "search_attributes"),
    e.WorkflowPropertiesModified: (c.ModifyWorkflowProperties, "upserted_memo"),
    e.StartChildWorkflowExecutionInitiated: (c.StartChildWorkflowExecution, "workflow_id"),
    e.SignalExternalWorkflowExecutionInitiated: (c.SignalExternalWorkflowExecution, "signal_name"),
    e.RequestCancelExternalWorkflowExecutionInitiated: (c.RequestCancelExternalWorkflowExecution, "reason"),
    e.WorkflowExecutionUpdateAccepted: (c.AcceptUpdate, "protocol_instance_id"),
    e.WorkflowExecutionUpdateCompleted: (c.CompleteUpdate, "update_id"),
    e.WorkflowExecutionCompleted: (c.CompleteWorkflowExecution, "result"),
    e.WorkflowExecutionFailed: (c.FailWorkflowExecution, "failure"),
    e.WorkflowExecutionCanceled: (c.CancelWorkflowExecution, "details"),
    e.WorkflowExecutionContinuedAsNew: (c.ContinueAsNewWorkflowExecution, "input"),
}
