"""Runs of machines on the kernel alone, in virtual time: no engine, no store, no event loop."""

import heapq
import json
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from perdure.kernel import workflow_task
from perdure.kernel.commit import Commit
from perdure.kernel.run import Run
from perdure.kernel.transition import start, transition
from perdure.kernel.turn import finish
from perdure.languages.asl.execution import TOKEN_TYPE, Execution, start_of
from perdure.languages.asl.history import Outcome, aws_events, outcome
from perdure.languages.asl.program import MachineProgram
from perdure.model import requests as r
from perdure.model.events import Event
from perdure.model.failures import Failure
from perdure.model.ids import RunAddress
from perdure.model.limits import DEFAULT_LIMITS
from perdure.model.payloads import Payload
from perdure.model.program import TurnFailed, numbered

SECOND = 10**9


class Failed(Exception):
    """What a call failed with."""

    def __init__(self, error: str, cause: str = "") -> None:
        super().__init__(error, cause)
        self.error, self.cause = error, cause


class Never(Exception):
    """The call never ends."""


class World:
    """Time, and whatever runs in it.

    Args:
        answer: what a call gives: ``answer(world, activity_type, input, call)``; it may raise ``Failed``, or return a
            number of seconds and a result as a tuple.
        forgets: whether each turn is taken by a new program, made from the history.
    """

    def __init__(
        self, answer: Callable[..., Any] | None = None, *, forgets: bool = False, now: int = 1_700_000_000 * SECOND
    ) -> None:
        self.now = now
        self.answer = answer
        self.forgets = forgets
        self.plays: dict[str, Play] = {}
        self._agenda: list[tuple[int, int, Callable[[], object]]] = []
        self._number = 0

    def at(self, time: int, act: Callable[[], object]) -> None:
        self._number += 1
        heapq.heappush(self._agenda, (time, self._number, act))

    def start(self, request: r.StartWorkflow, parent: "Play | None" = None, initiated: int = 0) -> "Play":
        play = Play(self, request, f"run-{len(self.plays)}", parent, initiated)
        self.plays[request.workflow_id] = play
        play.begin()
        return play

    def run(self, until: Callable[[], bool] = lambda: False) -> None:
        while self._agenda and not until():
            time, _, act = heapq.heappop(self._agenda)
            self.now = max(self.now, time)
            act()


class Play:
    """One run."""

    def __init__(
        self, world: World, request: r.StartWorkflow, run_id: str, parent: "Play | None", initiated: int
    ) -> None:
        self.world, self.parent, self.initiated = world, parent, initiated
        self.request = request
        self.address = RunAddress("default", request.workflow_id, run_id)
        self.history: list[Event] = []
        self.program: MachineProgram | None = None
        self.turns = 0
        self.bytes_saved = 0
        self._seen = 0

    def begin(self) -> None:
        commit = start("default", self.address.run_id, self.request, self.world.now, DEFAULT_LIMITS)
        self.run: Run = commit.run
        self._done(commit)
        for due, ref in self._own_timers():
            self.world.at(due, partial(self.ask, r.FireTimer(ref)))

    def _own_timers(self):
        from perdure.kernel import lifecycle

        return [(due, ref) for due, ref in lifecycle.own_timers(self.run) if due]

    def ask(self, request: r.Request) -> bool:
        if self.run.close is not None:
            return False
        commit = transition(self.run, request, self.world.now)
        if not isinstance(commit, Commit):
            return False
        self._done(commit)
        return True

    def _done(self, commit: Commit) -> None:
        self.history += numbered(commit.records)
        while self.run.workflow_task is not None and self.run.close is None:
            self._turn()
        if self.run.close is not None:
            self._close()

    def _turn(self) -> None:
        task = self.run.workflow_task
        assert task is not None
        commit = Commit(self.run, self.world.now, DEFAULT_LIMITS)
        workflow_task.begin(commit, task, "test")
        self.history += numbered(commit.records)
        if self.program is None or self.world.forgets:
            self.program = MachineProgram(self.address, self.run.started)
            self._seen = 0
        events = self.history[self._seen :]
        self._seen = len(self.history)
        result = self.program.turn(events, ())
        if isinstance(result, TurnFailed):
            raise AssertionError(f"the turn failed: {result.failure.message}")
        self.turns += 1
        self.bytes_saved += len(result.state)
        commit = Commit(self.run, self.world.now, DEFAULT_LIMITS)
        finish(commit, task, result.commands, "test", "", state=result.state)
        assert commit.turn_failure in ("", None), commit.turn_failure
        records = numbered(commit.records)
        self.history += records
        for record in records:
            self._follow(record)

    def _follow(self, event: Any) -> None:
        match type(event).__name__:
            case "ActivityTaskScheduled":
                self._activity(event)
            case "TimerStarted":
                ref = event.id
                self.world.at(event.time + event.start_to_fire_timeout_ns, lambda: self.ask(r.FireTimer(ref)))
            case "StartChildWorkflowExecutionInitiated":
                self.world.at(self.world.now, lambda: self._child(event))
            case "RequestCancelExternalWorkflowExecutionInitiated":
                child = self.world.plays.get(event.workflow_execution.workflow_id)
                if child is not None:
                    child.ask(r.CancelWorkflow())
            case "SignalExternalWorkflowExecutionInitiated":
                other = self.world.plays.get(event.workflow_execution.workflow_id)
                if other is not None:
                    other.ask(r.SignalWorkflow(event.signal_name, event.input))
            case _:
                pass

    def _child(self, event: Any) -> None:
        if self.run.close is not None:
            return
        if event.workflow_id in self.world.plays:
            self.ask(r.ChildStartFailed(event.id, "WORKFLOW_ALREADY_EXISTS"))
            return
        request = r.StartWorkflow(
            event.workflow_id,
            event.workflow_type,
            event.task_queue,
            event.input,
            run_timeout_ns=event.workflow_run_timeout_ns,
            memo=event.memo,
        )
        self.ask(r.ChildStarted(event.id, f"run-{len(self.world.plays)}"))
        self.world.start(request, self, event.id)

    def _activity(self, event: Any) -> None:
        ref = event.id
        for timeout in (
            event.schedule_to_close_timeout_ns,
            event.start_to_close_timeout_ns,
            event.heartbeat_timeout_ns,
        ):
            if timeout:
                self.world.at(event.time + timeout, lambda: self.ask(r.FireTimer(ref)))
        self.world.at(self.world.now, lambda: self._attempt(event))

    def _attempt(self, event: Any) -> None:
        if not self.ask(r.StartActivity(event.id, 1, "worker")):
            return
        if event.activity_type == TOKEN_TYPE:
            return
        given = json.loads(event.input[0].data) if event.input else None
        call = json.loads(event.input[1].data) if len(event.input) > 1 else None
        seconds = 0.0
        request: r.Request
        try:
            assert self.world.answer is not None, f"nobody answers {event.activity_type}"
            result = self.world.answer(self, event.activity_type, given, call)
            if isinstance(result, tuple):
                seconds, result = result
            request = r.CompleteActivity(event.id, 1, (Payload(msgspec.json.encode(result)),), "worker")
        except Failed as failed:
            failure = Failure(failed.cause, type=failed.error, source="asl", non_retryable=True)
            request = r.FailActivity(event.id, 1, failure, "worker")
        except Never:
            return
        self.world.at(self.world.now + round(seconds * SECOND), lambda: self.ask(request))

    def _close(self) -> None:
        if self.parent is not None:
            parent, self.parent = self.parent, None
            closing = self.history[-1]
            parent.world.at(
                self.world.now, lambda: parent.ask(r.ChildClosed(self.initiated, self.address.run_id, closing))
            )

    # --- what became of it

    @property
    def outcome(self) -> Outcome:
        return outcome(self.history[-1])

    def ask_program(self, name: str) -> bytes:
        program = MachineProgram(self.address, self.run.started)
        assert program.catch_up(self.history) is None
        answer = program.query(name, ())
        assert isinstance(answer, tuple), answer
        return answer[0].data

    @property
    def events(self) -> list[dict[str, Any]]:
        return aws_events(self.history)


def play(
    definition: dict[str, Any] | str,
    input: Any = None,
    answer: Callable[..., Any] | None = None,
    *,
    forgets: bool = False,
    **facts: Any,
) -> Play:
    """Run a machine to its end."""
    text = definition if isinstance(definition, str) else json.dumps(definition)
    world = World(answer, forgets=forgets)
    given = {"arn": "arn:aws:states:us-east-1:000000000000:execution:machine:test", "machine_name": "machine"} | facts
    request = start_of(Execution(text, **given), json.dumps({} if input is None else input))
    playing = world.start(request)
    world.run()
    return playing


__all__ = ["Failed", "Never", "Play", "World", "play"]
