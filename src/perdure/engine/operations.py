"""Operations for those who come and ask: offers that the outbox holds, by namespace and task queue.

What is handed out is asked for again if nobody has answered in time, so whoever serves an endpoint may be asked more
than once for the same. Nothing here is stored: offers come from the outbox, also after a restart, and an answer names the
run and the attempt.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

import msgspec

from perdure.engine.endpoints import Endpoint, Endpoints
from perdure.engine.operation_runs import OperationRuns
from perdure.engine.resident import Resident
from perdure.kernel import operation_offers
from perdure.kernel.commit import Message, Rejection
from perdure.kernel.run import Operation
from perdure.model.errors import PerdureError, StoreError
from perdure.model.events import NexusOperationScheduled
from perdure.model.failures import Failure, FailureKind, RetryBehavior
from perdure.model.ids import RunAddress
from perdure.model.requests import FailOperationAttempt, OfferOperation, Request
from perdure.model.system import SYSTEM_NAMESPACE
from perdure.model.task_queues import Poller

if TYPE_CHECKING:
    from perdure.engine.engine import Engine

ANSWER_SECONDS = 10.0
"""Whoever has been asked for an operation has so long to answer."""

SEEN_SECONDS = 300.0
"""Whoever has asked here within this time still counts as somebody who serves the queue."""

MOST_POLLERS = 100
"""So many are remembered for a queue: those who have asked last."""

UPSTREAM_TIMEOUT = "UPSTREAM_TIMEOUT"
"""Temporal's word for what is wrong when nobody has answered."""

UNREGISTERED = "endpoint not registered"
"""Temporal's word for an endpoint that was removed."""

QueueName = tuple[str, str]
"""Namespace and task queue."""


class Offer(msgspec.Struct, frozen=True, gc=False):
    """What a run asks for. ``key`` and ``ref`` name the message."""

    key: int
    ref: int
    source: RunAddress
    request: OfferOperation


class OperationTask(msgspec.Struct, frozen=True, gc=False):
    """An attempt, for whoever serves the endpoint. ``source`` is the run that asks; with ``of_cancel`` the operation is
    to stop. ``attempt`` belongs into the answer. ``answer_seconds`` is how long there is for one."""

    source: RunAddress
    operation: Operation
    attempt: int
    of_cancel: bool
    answer_seconds: float = ANSWER_SECONDS


class Operations:
    """Belongs to one engine, and shares its thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._runs = OperationRuns(engine)
        self.endpoints = Endpoints(engine.store)
        self.endpoints.removed = self.look_again
        self._leading: set[asyncio.Task[None]] = set()
        self._waiting: dict[QueueName, deque[Offer]] = {}
        self._asking: dict[QueueName, deque[asyncio.Future[None]]] = {}
        self._known: dict[tuple[int, int], int] = {}
        """The attempts that wait here or are about to, by the names of their messages."""
        self._pollers: dict[QueueName, dict[str, tuple[int, str]]] = {}
        self.attend_own: Callable[[str], None] | None = None
        """Told of a task queue of the engine's own namespace when something comes to wait there."""
        self.blocked: dict[QueueName, str] = {}
        """Queues where nobody asks for the time being, and why."""

    def offer(self, key: int, source: RunAddress, message: Message) -> None:
        """A message of the run ``source`` that is in the store."""
        request = message.request
        assert isinstance(request, OfferOperation)
        if self._known.get((key, message.ref)) == request.attempt:
            return
        offer = Offer(key, message.ref, source, request)
        self._known[key, message.ref] = request.attempt
        self._place(offer)

    def _place(self, offer: Offer) -> None:
        """See who is to get it."""
        source, name = offer.source, (offer.key, offer.ref)

        def found(resident: Resident | PerdureError | None) -> None:
            if not isinstance(resident, Resident):
                self._known.pop(name, None)
                if isinstance(resident, StoreError):
                    self._engine.after_store_retry(lambda: self._place(offer))
                return
            wanted = operation_offers.offered(resident.run, offer.request)
            if wanted is None or self._known.get(name) != offer.request.attempt:
                if wanted is None:
                    self._known.pop(name, None)
                return
            scheduled, own = wanted.scheduled, (source.namespace, resident.run.started.task_queue)
            if scheduled.endpoint and not scheduled.namespace:
                self._by_endpoint(offer, scheduled)
            elif scheduled.endpoint_id and self.endpoints.seen(scheduled.endpoint_id) is None:
                self._if_led(offer, scheduled)
            else:
                self._to(offer, scheduled, (scheduled.namespace or own[0], scheduled.task_queue or own[1]))

        resident = self._engine.residents.find(source.namespace, source.workflow_id, source.run_id)
        if resident is not None:
            found(resident)
        else:
            self._engine.loader.find(source, found)

    def _by_endpoint(self, offer: Offer, scheduled: NexusOperationScheduled) -> None:
        """To where its endpoint leads."""

        def found(endpoint: Endpoint | None) -> None:
            if endpoint is not None:
                self._to(offer, scheduled, endpoint.queue)
            else:
                self._known.pop((offer.key, offer.ref), None)
                message = f"there is no endpoint {scheduled.endpoint!r}; set one up, or mend the name"
                self._fail(offer, Failure(message, FailureKind.HANDLER, type="NOT_FOUND"))

        self._look(offer, self.endpoints.named(scheduled.endpoint), found)

    def _if_led(self, offer: Offer, scheduled: NexusOperationScheduled) -> None:
        """To where its endpoint led when it was asked for, unless there is none any more: then it fails, as on Temporal."""

        def found(endpoint: Endpoint | None) -> None:
            if endpoint is not None:
                self._to(offer, scheduled, (scheduled.namespace, scheduled.task_queue))
            else:
                self._known.pop((offer.key, offer.ref), None)
                cause = Failure(UNREGISTERED)
                message = f"handler error (NOT_FOUND): {UNREGISTERED}"
                self._fail(offer, Failure(message, FailureKind.HANDLER, cause=cause, type="NOT_FOUND"), final=True)

        self._look(offer, self.endpoints.led_by(scheduled.endpoint_id, scheduled.endpoint), found)

    def _look(
        self, offer: Offer, asked: Coroutine[Any, Any, Endpoint | None], found: Callable[[Endpoint | None], None]
    ) -> None:
        async def led() -> None:
            try:
                endpoint = await asked
            except PerdureError:
                self._engine.after_store_retry(lambda: self._place(offer))
                return
            found(endpoint)

        task = asyncio.get_running_loop().create_task(led())
        self._leading.add(task)
        task.add_done_callback(self._leading.discard)

    def _to(self, offer: Offer, scheduled: NexusOperationScheduled, queue: QueueName) -> None:
        if self._runs.take(offer.source, scheduled, offer.request, queue):
            self._known.pop((offer.key, offer.ref), None)
        else:
            self._put(offer, queue)

    def look_again(self, namespace: str, task_queue: str) -> None:
        """Somebody serves this queue now, so what waits there may be what they have; or an endpoint leads there no more."""
        for offer in self._waiting.pop((namespace, task_queue), ()):
            self._place(offer)

    def _put(self, offer: Offer, queue: QueueName, *, first: bool = False) -> None:
        namespace, task_queue = queue
        self._known[offer.key, offer.ref] = offer.request.attempt
        line = self._waiting.setdefault(queue, deque())
        if first:
            line.appendleft(offer)
        else:
            line.append(offer)
        self._wake(queue)
        if namespace == SYSTEM_NAMESPACE and self.attend_own is not None:
            self.attend_own(task_queue)

    def _wake(self, queue: QueueName) -> None:
        asking = self._asking.get(queue, ())
        while asking:
            answer = asking.popleft()
            if not answer.done():
                answer.set_result(None)
                return

    async def poll(
        self, namespace: str, task_queue: str, *, identity: str, timeout_seconds: float, build_id: str = ""
    ) -> OperationTask | None:
        """Take an attempt, waiting for one; None if there is none in time. Whoever gets it answers by a request about it,
        through ``answer``, or is asked again."""
        queue = (namespace, task_queue)
        loop = asyncio.get_running_loop()
        self._note(queue, identity, build_id)
        ends = loop.time() + timeout_seconds
        while True:
            while (line := self._waiting.get(queue)) is not None:
                offer = line.popleft()
                if not line:
                    del self._waiting[queue]
                self._known.pop((offer.key, offer.ref), None)
                task = await self._taken(offer, queue)
                if task is not None:
                    return task
            if not await self._wait(queue, ends - loop.time()):
                return None

    def _note(self, queue: QueueName, identity: str, build_id: str) -> None:
        """Somebody asks."""
        known = self._pollers.setdefault(queue, {})
        known.pop(identity, None)  # to be the last
        known[identity] = self._engine.clock.now_ns(), build_id
        if len(known) > MOST_POLLERS:
            del known[next(iter(known))]

    async def _wait(self, queue: QueueName, seconds: float) -> bool:
        """Whether there is something before time is up."""
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._asking.setdefault(queue, deque()).append(answer)
        try:
            await asyncio.wait([answer], timeout=max(0.0, seconds))
            return answer.done()
        except asyncio.CancelledError:
            if answer.done():
                self._wake(queue)  # it was meant for somebody who has gone
            raise
        finally:
            asking = self._asking.get(queue)
            if asking is not None:
                if answer in asking:
                    asking.remove(answer)
                if not asking:
                    del self._asking[queue]

    async def _taken(self, offer: Offer, queue: QueueName) -> OperationTask | None:
        """The attempt, if the run still wants it."""
        try:
            resident = await self._engine.resident(offer.source)
        except asyncio.CancelledError:
            self._put(offer, queue, first=True)
            raise
        except PerdureError:
            self._engine.after_store_retry(lambda: self._put(offer, queue))
            return None
        request = offer.request
        found = operation_offers.offered(resident.run, request)
        if found is None:
            return None
        asyncio.get_running_loop().call_later(ANSWER_SECONDS, self._too_late, offer)
        return OperationTask(offer.source, found, request.attempt, request.of_cancel)

    def _too_late(self, offer: Offer) -> None:
        """Ask again later, unless an answer has come."""
        failure = Failure(
            "nobody answered in time",
            FailureKind.HANDLER,
            type=UPSTREAM_TIMEOUT,
            retry_behavior=RetryBehavior.UNSPECIFIED,
        )
        self._fail(offer, failure)

    def _fail(self, offer: Offer, failure: Failure, *, final: bool = False) -> None:
        request = offer.request
        if not self._engine.closing:
            self._engine.submit(
                offer.source,
                FailOperationAttempt(
                    request.scheduled_event_id, request.attempt, failure, request.of_cancel, final=final
                ),
                even_closed=False,
            )

    async def answer(self, source: RunAddress, request: Request) -> bool:
        """Hand in what became of an attempt. False if nobody waits for that any more. Raises ``StoreError``."""
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        def recorded(outcome: Rejection | PerdureError | None) -> None:
            if done.done():
                return
            if isinstance(outcome, PerdureError):
                done.set_exception(outcome)
            else:
                done.set_result(outcome is None)

        self._engine.submit(source, request, recorded)
        return await done

    def pollers(self, namespace: str, task_queue: str) -> list[Poller]:
        """Who has asked here lately."""
        queue = (namespace, task_queue)
        known = self._pollers.get(queue, {})
        before = self._engine.clock.now_ns() - int(SEEN_SECONDS * 1e9)
        for identity in [identity for identity, (time, _) in known.items() if time < before]:
            del known[identity]
        return [Poller(identity, build_id, last_poll_time=time) for identity, (time, build_id) in known.items()]

    def waiting_queues(self, namespace: str) -> list[str]:
        """The task queues of a namespace where something waits."""
        return [task_queue for space, task_queue in self._waiting if space == namespace]

    def backlog(self, namespace: str, task_queue: str) -> int:
        """How many attempts wait."""
        return len(self._waiting.get((namespace, task_queue), ()))
