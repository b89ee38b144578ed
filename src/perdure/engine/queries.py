"""Asking a run's program, which changes nothing: it is the one in memory, or is built for that from the history."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING

from perdure.engine import turns
from perdure.engine.resident import Resident
from perdure.model.failures import ASK_AGAIN, NO_WORKER, Failure
from perdure.model.payloads import PayloadMap, Payloads
from perdure.model.program import Hosts

if TYPE_CHECKING:
    from perdure.engine.engine import Engine


async def query(
    engine: Engine, resident: Resident, name: str, input: Payloads, header: PayloadMap | None = None
) -> Payloads | Failure:
    """Ask a run's program. One that is not in memory is built from the history; a closed run's is let go again."""
    run, worker, started = resident.run, engine.worker, resident.run.started
    if worker is None or not worker.serves_workflow(run.namespace, started.task_queue, started.workflow_type):
        return Failure(
            f"No worker here serves workflow type {started.workflow_type!r} on task queue {started.task_queue!r}, so "
            "nobody can answer. Open the app that defines it, or start a worker with it.",
            type=NO_WORKER,
        )
    while True:
        build_id = run.pinned_build_id
        if resident.program is None or resident.host is None or (build_id and build_id != resident.host.build_id):
            return await _anew(engine, resident, worker, name, input, header)
        answer = await _answer(resident.program.query(name, input, header))
        if not (isinstance(answer, Failure) and answer.type == ASK_AGAIN):
            return answer


async def _anew(
    engine: Engine, resident: Resident, worker: Hosts, name: str, input: Payloads, header: PayloadMap | None
) -> Payloads | Failure:
    run, started = resident.run, resident.run.started
    ready = asyncio.Event()
    while not turns.prepare(resident, engine.loader, engine.pipeline, ready.set):
        await ready.wait()
        ready.clear()
    namespace, queue, kind, affinity = run.namespace, started.task_queue, started.workflow_type, started.affinity
    host = worker.host_to_ask(namespace, queue, kind, run.pinned_build_id, resident.key, affinity)
    if host is None:
        if affinity is not None and not worker.serves_workflow(namespace, queue, kind, affinity):
            return Failure(f"No worker on task queue {queue!r} has label {affinity}, so nobody can answer.")
        builds = worker.builds(namespace, queue, kind)
        if run.pinned_build_id and run.pinned_build_id not in builds:
            return Failure(
                f"The run is pinned to build {run.pinned_build_id!r}, and the worker here has "
                f"{' and '.join(map(repr, sorted(builds)))}. Ask where that build runs, or unpin it."
            )
        return Failure("All workers that serve the workflow are busy. Ask again, or start more of them.")
    program = host.create_program(resident.address, started)
    failed = program.catch_up(resident.unseen)
    answer = failed.failure if failed is not None else await _answer(program.query(name, input, header))
    is_wanted = host.keeps_programs and resident.program is None and run.close is None
    if failed is None and is_wanted and not resident.is_lost:
        resident.program, resident.host = program, host
        resident.seen = resident.unseen[-1].id
        resident.unseen = []
    else:
        program.close()
    return answer


async def _answer(answer: Payloads | Failure | Awaitable[Payloads | Failure]) -> Payloads | Failure:
    return answer if isinstance(answer, (tuple, Failure)) else await answer
