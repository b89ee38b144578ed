"""Taking up a store where its last owner left it.

The store says what was under way: tasks, timers, messages. They are brought in page by page while new requests are
already served, so being ready does not depend on how many runs are open. An attempt that a worker of the last owner's
process had is lost with it; one that was left to somebody outside is not.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

import msgspec

from perdure.engine.dispatch import task_of
from perdure.engine.engine import Engine
from perdure.engine.outbox import decode_message
from perdure.engine.ports import TaskRow, TimerRow
from perdure.engine.resident import Resident
from perdure.kernel.run import WORKFLOW_TASK_REF
from perdure.kernel.timer import deadline
from perdure.model.errors import PerdureError, StoreCorruptError, StoreError
from perdure.model.ids import RunAddress
from perdure.model.options import DEFAULT_NAMESPACE
from perdure.model.requests import LoseActivity
from perdure.model.task_queues import Placement

log = logging.getLogger("perdure.engine")

T = TypeVar("T")

PAGE = 500

NO_PLACEMENT = Placement(DEFAULT_NAMESPACE)
decode_placement = msgspec.msgpack.Decoder(Placement).decode


async def take_up_tasks(engine: Engine, before_key: int) -> None:
    """Set going what runs with keys below ``before_key`` waited for when the store was opened."""
    after = (-1, 0)
    while not engine.closing:
        rows = await _insist(engine, partial(engine.store.tasks, after, PAGE))
        for row in rows:
            if row.key < before_key:
                _take_up(engine, row)
        if len(rows) < PAGE or rows[-1].key >= before_key:
            return
        after = (rows[-1].key, rows[-1].ref)
        await asyncio.sleep(0)


def _take_up(engine: Engine, row: TaskRow) -> None:
    if row.ref != WORKFLOW_TASK_REF and not row.started:
        if row.due:
            engine.alarms.set(row.key, row.ref, row.due)
        if row.due <= engine.clock.now_ns():
            placement = decode_placement(row.placement) if row.placement else NO_PLACEMENT
            queue = (placement.namespace, row.task_queue)
            since = engine.clock.now_ns()
            engine.backlog.add(
                queue,
                row.type,
                (row.key, row.ref),
                since,
                placement.priority,
                placement.limit_key,
                placement.affinity,
            )
            engine.dispatch.drain()
        return

    def loaded(resident: Resident | PerdureError | None) -> None:
        if isinstance(resident, StoreError) and not isinstance(resident, StoreCorruptError):
            log.warning("A run could not be taken up now; trying again: %s", resident)
            engine.after_store_retry(partial(_take_up, engine, row))
        elif isinstance(resident, PerdureError):
            log.error("A run could not be taken up: %s", resident)
        elif resident is not None:
            _take_up_resident(engine, resident, row)

    engine.loader.load(row.key, loaded)


def _take_up_resident(engine: Engine, resident: Resident, row: TaskRow) -> None:
    run = resident.run
    if row.ref == WORKFLOW_TASK_REF:
        task = run.workflow_task
        if task is not None:
            # Whatever failed before, the code may be another one now: try at once.
            engine.try_turn_now(resident)
        return
    activity = run.activities.get(row.ref)
    if activity is not None and activity.is_outside:
        # Whoever has its token may still complete it; only its time-outs were this process's business.
        due = deadline(run, row.ref)
        if due:
            engine.alarms.set(row.key, row.ref, due)
    elif activity is not None and activity.started_time:
        worker = engine.worker
        attempt = task_of(resident, activity)
        if activity.worker_id and worker is not None and worker.adopt(attempt, activity.worker_id):
            due = deadline(run, row.ref)
            if due:
                engine.alarms.set(row.key, row.ref, due)
            return
        request = LoseActivity(row.ref, activity.attempt, "the process that ran this attempt ended before it did")
        engine.report(RunAddress(run.namespace, run.started.workflow_id, run.run_id), request)


async def take_up_messages(engine: Engine, before_key: int) -> None:
    """Send what had not arrived when the store was opened."""
    after = (-1, -(1 << 62))
    while not engine.closing:
        rows = await _insist(engine, partial(engine.store.messages, after, PAGE))
        for row in rows:
            if row.key < before_key:
                stored = await _insist(engine, partial(engine.store.history, row.key))
                if stored is not None:
                    source = RunAddress(stored.row.namespace, stored.row.workflow_id, stored.row.run_id)
                    engine.outbox.send(row.key, source, decode_message(row.message))
        if len(rows) < PAGE:
            return
        after = (rows[-1].key, rows[-1].ref)


async def bring_in_timers(engine: Engine) -> None:
    """Hold in memory the durable timers of the next while; the others go on sleeping in the store."""
    now = engine.clock.now_ns()
    until = now + engine.settings.timer_horizon_ns
    # Timers set from now on are armed by the commit that sets them; those set before are found below.
    engine.horizon_ns = until
    rows = await _insist(engine, partial(engine.store.timers, until, None, engine.settings.timer_page))
    last: TimerRow | None = None
    for row in rows:
        engine.alarms.set(row.key, row.ref, row.due)
        last = row
    if last is not None and len(rows) == engine.settings.timer_page:
        engine.horizon_ns = last.due


async def keep_timers_coming(engine: Engine) -> None:
    """Bring in timers again and again, half a horizon before they are due, or as soon as a full page has fired."""
    while not engine.closing:
        await bring_in_timers(engine)
        half = engine.settings.timer_horizon_ns // 2
        wake_at = min(engine.clock.now_ns() + half, max(engine.horizon_ns, engine.clock.now_ns() + 1))
        await sleep_until(engine, wake_at)


async def _insist(engine: Engine, read: Callable[[], Awaitable[T]]) -> T:
    """What the store says, asked again until it does: what is not read here goes on with nobody."""
    while True:
        try:
            return await read()
        except StoreError as error:
            log.warning("The store could not say what waits in it; trying again: %s", error)
            await sleep_until(engine, engine.clock.now_ns() + engine.settings.store_retry_ns)


async def sleep_until(engine: Engine, due_ns: int) -> None:
    """Wait by the engine's clock."""
    woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def wake() -> None:
        if not woken.done():
            woken.set_result(None)

    cancel = engine.clock.call_at(due_ns, wake)
    try:
        await woken
    finally:
        cancel()


async def keep_retention(engine: Engine) -> None:
    """Delete closed runs that their namespace no longer keeps."""
    while not engine.closing:
        await sleep_until(engine, engine.clock.now_ns() + engine.settings.retention_sweep_ns)
        try:
            await sweep(engine)
        except PerdureError as error:
            log.warning("Closed runs could not be deleted now: %s", error)


async def sweep(engine: Engine) -> int:
    """Delete what is past its retention now; how many runs."""
    deleted = 0
    for namespace in await engine.store.namespaces():
        if not namespace.retention_ns:
            continue
        before = engine.clock.now_ns() - namespace.retention_ns
        while keys := await engine.store.closed_before(namespace.name, before, PAGE):
            await engine.delete_runs(keys)
            deleted += len(keys)
    return deleted
