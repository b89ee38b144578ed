"""Activities for those who come and ask, rather than being connected: one task for one question.

Those who ask for the same are one worker to the engine, with as many slots as they are. What is handed out leaves that
worker at once, as an attempt that somebody outside will end by its token: it needs no connection, outlives the server,
and if nobody says how it ended its timeouts do.
"""

import asyncio
import secrets
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager

from perdure.engine.remote_worker import RemoteWorker
from perdure.engine.workers import Workers
from perdure.model.program import ActivityTask
from perdure.model.requests import HeartbeatActivity
from perdure.model.workers import (
    ANY_TYPE,
    ActivityGroup,
    ActivityReport,
    CancelAttempt,
    Capacity,
    Hello,
    StartActivity,
    ToWorker,
)

IDLE_SECONDS = 60.0
"""Nobody has asked for so long: the worker that stands for them is forgotten."""

START_SECONDS = 1.0
"""A task that is on its way to somebody is waited for so long beyond their time; and one that has come for somebody who
has gone waits so long for the next."""

Question = tuple[str, str, str, frozenset[str], frozenset[tuple[str, str]]]
"""Namespace, task queue, identity, activity types and labels."""


class Polls:
    """Belongs to one engine, and shares its thread."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._desks: dict[Question, _Desk] = {}

    async def poll(
        self,
        namespace: str,
        task_queue: str,
        *,
        identity: str,
        activity_types: Sequence[str],
        timeout_seconds: float,
        labels: Mapping[str, str],
    ) -> ActivityTask | None:
        """Take an attempt of an activity, waiting for one; None if there is none in time.

        Whoever gets it ends it by a request about it, or its timeouts do. Without ``activity_types`` it may be of any;
        ``labels`` are what whoever asks is.
        Raises ``InvalidArgumentError`` for a name that is empty or too long.
        """
        question = (namespace, task_queue, identity, frozenset(activity_types), frozenset(labels.items()))
        return await self._desk(question).ask(timeout_seconds)

    def expect(
        self, namespace: str, task_queue: str, *, identity: str, count: int
    ) -> AbstractContextManager["Expected"]:
        """While the block lasts, somebody also asks for attempts of any type, up to ``count`` that are started meanwhile;
        for none, if others wait in the queue."""
        if self._workers.has_backlog(namespace, task_queue):
            count = 0
        return self._desk((namespace, task_queue, identity or "unknown", frozenset(), frozenset())).expect(count)

    def _desk(self, question: Question) -> "_Desk":
        desk = self._desks.get(question)
        if desk is None:
            desk = _Desk(self, question)
            desk.worker = self._workers.connect(_hello(question), desk)
            self._desks[question] = desk
        return desk

    def _forget(self, question: Question) -> None:
        desk = self._desks.pop(question, None)
        if desk is not None:
            self._workers.disconnect(desk.worker)

    def _nobody_there(self, worker: RemoteWorker, task: ActivityTask) -> None:
        self._workers.lose(worker, task, "whoever asked for it was gone before it was there")


class Expected:
    """Attempts for somebody who is about to cause them."""

    def __init__(self, asking: Sequence["asyncio.Future[ActivityTask]"]) -> None:
        self.asking = asking

    @property
    def tasks(self) -> list[ActivityTask]:
        """Those that have started."""
        return [answer.result() for answer in self.asking if answer.done()]


class _Desk:
    """Those who ask for the same. Implements ``Link``."""

    def __init__(self, polls: Polls, question: Question) -> None:
        self.worker: RemoteWorker
        self._polls = polls
        self._question = question
        self._asking: list[asyncio.Future[ActivityTask]] = []
        self._expecting = 0
        """How many of those who ask, the first ones, expect what they cause themselves."""
        self._unclaimed: deque[ActivityTask] = deque()
        self._idle: asyncio.TimerHandle | None = None

    async def ask(self, timeout_seconds: float) -> ActivityTask | None:
        """Wait for a task."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[ActivityTask] = loop.create_future()
        self._asking.append(answer)
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        self._make_room()
        if self._unclaimed:
            self._hand_out(self._unclaimed.popleft())
        try:
            await asyncio.wait([answer], timeout=timeout_seconds)
            if not answer.done() and self.worker.used_slots >= len(self._asking):
                # There is one for each who asks: its start is being written.
                await asyncio.wait([answer], timeout=START_SECONDS)
            return answer.result() if answer.done() else None
        except asyncio.CancelledError:
            if answer.done():
                self._polls._nobody_there(self.worker, answer.result())
            raise
        finally:
            if answer in self._asking:
                self._asking.remove(answer)
                self._make_room()
            self._may_end()

    def _may_end(self) -> None:
        if not self._asking and self._idle is None:
            loop = asyncio.get_running_loop()
            self._idle = loop.call_later(IDLE_SECONDS, self._polls._forget, self._question)

    @contextmanager
    def expect(self, count: int) -> Iterator[Expected]:
        """Ask for attempts while the block lasts, ahead of others, but behind those who expected some before: attempts
        come in the order in which they are caused, and whoever is answered with another's leaves it their own."""
        loop = asyncio.get_running_loop()
        expected = Expected([loop.create_future() for _ in range(count)])
        self._asking[self._expecting : self._expecting] = expected.asking
        self._expecting += count
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        if count:
            self._make_room()
        try:
            yield expected
        finally:
            missed = [answer for answer in expected.asking if not answer.done()]
            if missed:
                self._asking = [answer for answer in self._asking if answer not in missed]
                self._expecting -= len(missed)
                self._make_room()
            self._may_end()

    def send(self, message: ToWorker) -> None:
        """What the engine says to the worker that stands for all."""
        match message:
            case StartActivity(task):
                self._hand_out(task)
            case CancelAttempt():
                pass  # they hear of it with their next heartbeat
            case _:
                pass

    def _hand_out(self, task: ActivityTask) -> None:
        if not self._asking:
            self._unclaimed.append(task)
            asyncio.get_running_loop().call_later(START_SECONDS, self._nobody_came, task)
            return
        # The heartbeat keeps what the last attempt has reported.
        leaves = HeartbeatActivity(
            task.scheduled.id, task.attempt, task.heartbeat_details, self.worker.identity, leaves=True
        )
        answer = self._asking.pop(0)
        self._expecting = max(0, self._expecting - 1)
        self.worker.hear(ActivityReport(task.address, leaves))
        self._make_room()
        answer.set_result(task)

    def _nobody_came(self, task: ActivityTask) -> None:
        if task in self._unclaimed:
            self._unclaimed.remove(task)
            self._make_room(leaving=1)
            self._polls._nobody_there(self.worker, task)

    def _make_room(self, leaving: int = 0) -> None:
        """A slot for each who asks. A slot whose task is on its way stays; so many of them are about to be given back."""
        self.worker.hear(Capacity(0, [max(len(self._asking), self.worker.used_slots - leaving)]))


def _hello(question: Question) -> Hello:
    namespace, task_queue, identity, activity_types, labels = question
    return Hello(
        "poll-" + secrets.token_hex(16),
        identity,
        "",
        namespace,
        [task_queue],
        groups=[ActivityGroup(sorted(activity_types) or [ANY_TYPE], 0)],
        labels=dict(labels),
    )
