"""Task queues as clients see them: their settings, kept in the store, and how they stand."""

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence

import msgspec

from perdure.engine import holds
from perdure.engine.backlog import QueueName
from perdure.engine.engine import Engine
from perdure.engine.ports import Store
from perdure.engine.workers import Workers, pollers_of
from perdure.model.errors import InvalidArgumentError, NotFoundError, PerdureError
from perdure.model.names import problem, text_problem
from perdure.model.task_queues import HoldReason, TaskQueue, TaskQueueDescription

log = logging.getLogger("perdure.engine")

_LIMITS = ("concurrency", "rate", "concurrency_per_key", "rate_per_key")
_MOST = 10**9
"""Of any of them: more is meant for no limit at all, and might not fit where it is stored."""


class TaskQueues:
    """The task queues of an engine."""

    def __init__(self, engine: Engine, store: Store) -> None:
        self._engine = engine
        self._store = store
        self._settings: dict[QueueName, TaskQueue] = {}
        self._unsaved: set[QueueName] = set()
        self._saving: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Take up what the store says, before anything starts. Raises ``StoreError``."""
        for settings in await self._store.task_queues():
            self._settings[settings.namespace, settings.name] = settings
            self._engine.admission.restore(settings)
        self._engine.admission.breakers.changed = self._breaker_changed

    async def close(self) -> None:
        """Save what is not saved."""
        self._engine.admission.close()
        if self._saving is not None:
            await self._saving

    # --- settings

    async def put(self, settings: TaskQueue) -> None:
        """As ``Service.set_task_queue``."""
        _check(settings, self._engine.limits.id_length)
        queue = (settings.namespace, settings.name)
        settings = msgspec.structs.replace(settings, open_breakers=self._engine.admission.breakers.open_until(queue))
        await self._store.set_task_queue(settings)
        self._settings[queue] = settings
        self._engine.admission.set(settings)

    async def pause(self, namespace: str, name: str, reason: str | None) -> None:
        """As ``Service.pause_task_queue``."""
        self._refuse_unknown((namespace, name))
        present = self.of((namespace, name))
        await self.put(msgspec.structs.replace(present, is_paused=reason is not None, pause_reason=reason or ""))

    def all(self, namespace: str) -> Sequence[TaskQueue]:
        """As ``Service.task_queues``."""
        return [self.of(queue) for queue in sorted(self.known()) if queue[0] == namespace]

    def of(self, queue: QueueName) -> TaskQueue:
        """What is set about a queue."""
        return self._settings.get(queue) or TaskQueue(*queue)

    def known(self) -> set[QueueName]:
        """Queues with settings, with a backlog, or with attempts that live."""
        tasks = self._engine.dispatch.living()
        return {
            *self._settings,
            *self._engine.backlog.waiting,
            *((task.address.namespace, task.scheduled.task_queue) for task in tasks),
        }

    def _refuse_unknown(self, queue: QueueName) -> None:
        worker = self._engine.worker
        if queue in self.known() or (worker is not None and queue[1] in worker.task_queues):
            return
        names = {name for namespace, name in self.known() if namespace == queue[0]}
        names |= set() if worker is None else set(worker.task_queues)
        known = ", ".join(map(repr, sorted(names))) or "none"
        raise NotFoundError(
            f"There is no task queue {queue[1]!r} in namespace {queue[0]!r}: it has no settings, nothing waits in it, and "
            f"no worker here serves it. Known are: {known}. Check the name; set() makes settings for a new one."
        )

    # --- how they stand

    def describe(self, namespace: str, name: str) -> TaskQueueDescription:
        """As ``Service.describe_task_queue``."""
        queue = (namespace, name)
        self._refuse_unknown(queue)
        engine, worker = self._engine, self._engine.worker
        now = engine.clock.now_ns()
        pollers = worker.pollers(namespace, name) if isinstance(worker, Workers) else pollers_of(worker, name)
        running, by_key = self._running(queue)
        waiting: Counter[HoldReason] = Counter()
        line = engine.backlog.waiting.get(queue)
        if line is not None:
            for lane, count in line.lanes():
                if count:
                    why = holds.why(engine.admission, queue, lane.activity_type, lane.limit_key, now, lane.affinity)
                    waiting[why.reason] += count
        oldest = 0 if line is None else line.oldest()
        flow = engine.dispatch.flows.get(queue)
        added, started = flow.rates(now) if flow is not None else (0.0, 0.0)
        return TaskQueueDescription(
            self.of(queue),
            bool(pollers),
            waiting.total(),
            now - oldest if oldest else 0,
            running,
            by_key,
            dict(waiting),
            [
                breaker.describe(now)
                for key, breaker in sorted(engine.admission.breakers.all.items())
                if key[:2] == queue
            ],
            added,
            started,
            pollers,
        )

    def _running(self, queue: QueueName) -> tuple[int, dict[str, int]]:
        rules = self._engine.admission.near_rules(queue)
        if rules is not None and rules.limits_living:
            return rules.living, dict(rules.living_by_key)
        mine = [
            task.scheduled.limit_key
            for task in self._engine.dispatch.living()
            if (task.address.namespace, task.scheduled.task_queue) == queue
        ]
        return len(mine), dict(Counter(key for key in mine if key))

    # --- breakers that open and close

    def _breaker_changed(self, queue: QueueName) -> None:
        self._unsaved.add(queue)
        if self._saving is None or self._saving.done():
            self._saving = asyncio.get_running_loop().create_task(self._save())

    async def _save(self) -> None:
        while self._unsaved:
            queue = self._unsaved.pop()
            open_breakers = self._engine.admission.breakers.open_until(queue)
            settings = self._settings[queue] = msgspec.structs.replace(self.of(queue), open_breakers=open_breakers)
            try:
                await self._store.set_task_queue(settings)
            except PerdureError as error:
                # It goes on as it should in this process; only a restart would not know.
                log.warning("The circuit breakers of task queue %r could not be saved: %s", queue[1], error)


def _check(settings: TaskQueue, length: int) -> None:
    name = settings.name
    if found := problem("name", name, length) if name else None:
        raise InvalidArgumentError(f"task queue: {found}")
    if found := text_problem("pause_reason", settings.pause_reason):
        raise InvalidArgumentError(f"task queue {name!r}: {found}")
    if not name or name != name.strip():
        raise InvalidArgumentError(f"task queue {name!r}: a name must not be empty, nor begin or end with a space")
    for limit in _LIMITS:
        if getattr(settings, limit) < 0:
            raise InvalidArgumentError(f"task queue {name!r}: {limit}={getattr(settings, limit)} must not be negative")
        if getattr(settings, limit) > _MOST:
            raise InvalidArgumentError(
                f"task queue {name!r}: {limit}={getattr(settings, limit)} is more than {_MOST:,}"
            )
    if settings.per_ns <= 0 or settings.ageing_ns < 0:
        raise InvalidArgumentError(f"task queue {name!r}: per must be above zero, and ageing must not be negative")
