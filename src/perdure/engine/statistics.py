"""What a store holds, in figures, with who has waited longest for a worker."""

import asyncio
from collections.abc import Mapping

import msgspec

from perdure.engine.engine import Engine
from perdure.engine.resident import Resident
from perdure.kernel.explain import waits
from perdure.kernel.run import Run
from perdure.model.errors import InvalidArgumentError, PerdureError
from perdure.model.explanation import WaitKind
from perdure.model.figures import Figures, OldestWait

MOST_DAYS = 3_660


async def statistics(engine: Engine, days: int) -> Figures:
    """As ``Service.statistics``."""
    if not 0 <= days <= MOST_DAYS:
        raise InvalidArgumentError(f"days={days} must be a number from 0 to {MOST_DAYS:,}")
    now = engine.clock.now_ns()
    figures = await engine.store.figures(now, days)
    oldest: dict[int, OldestWait | None] = {}
    for key in {task.oldest_key for task in figures.tasks if task.oldest_key}:
        run = await _run(engine, key)
        oldest[key] = None if run is None else oldest_wait(run, now)
    return with_oldest(figures, oldest)


def with_oldest(figures: Figures, oldest: Mapping[int, OldestWait | None]) -> Figures:
    """The figures with those who have waited longest, by their keys."""
    tasks = [msgspec.structs.replace(task, oldest=oldest.get(task.oldest_key)) for task in figures.tasks]
    return msgspec.structs.replace(figures, tasks=tasks)


def oldest_wait(run: Run, now: int) -> OldestWait | None:
    """What is known of a run that waits for a worker; None if it does no more."""
    since = [wait.since for wait in waits(run, now) if wait.kind in (WaitKind.TURN, WaitKind.ACTIVITY)]
    return OldestWait(run.workflow_id, run.run_id, min(since)) if since else None


async def _run(engine: Engine, key: int) -> Run | None:
    loaded: asyncio.Future[Run | None] = asyncio.get_running_loop().create_future()

    def done(resident: Resident | PerdureError | None) -> None:
        # A run that can't be read, or is gone by now, spoils no figures.
        loaded.set_result(resident.run if isinstance(resident, Resident) else None)

    engine.loader.load(key, done)
    return await loaded
