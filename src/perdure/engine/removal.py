"""Removing all runs of a namespace that is on its way out."""

import asyncio

from perdure.engine.engine import Engine
from perdure.engine.search.evaluate import place_of
from perdure.model.ids import RunAddress
from perdure.model.options import RunStatus
from perdure.model.requests import TerminateWorkflow
from perdure.model.search import EVERYTHING, narrowed
from perdure.model.system import SYSTEM_NAMESPACE, served_namespace

OPEN = (RunStatus.RUNNING, RunStatus.PAUSED)
PAGE = 200
FOREVER = 1 << 62


async def remove_runs(engine: Engine, name: str) -> None:
    """Terminate what is open, and delete what is closed, a page at a time. Raises ``StoreError``."""
    # First those of the engine's own that work for it, such as schedules: they would start more.
    await _terminate(engine, SYSTEM_NAMESPACE, name)
    await _terminate(engine, name, name)
    while keys := await engine.store.closed_before(name, FOREVER, PAGE):
        await engine.delete_runs(keys)


async def _terminate(engine: Engine, namespace: str, removed: str) -> None:
    query = narrowed(EVERYTHING, OPEN)
    after = None
    while True:
        rows = await engine.store.runs(namespace, query, after, PAGE)
        under_way = []
        for row in rows:
            if namespace == removed or served_namespace(row.workflow_id) == removed:
                address = RunAddress(namespace, row.workflow_id, row.run_id)
                done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                # One that has closed by itself meanwhile is as good.
                engine.submit(
                    address,
                    TerminateWorkflow(f"namespace {removed!r} is deleted"),
                    lambda _, done=done: None if done.done() else done.set_result(None),  # type: ignore[misc]
                )
                under_way.append(done)
        await asyncio.gather(*under_way)
        if len(rows) < PAGE:
            return
        after = place_of(rows[-1], {}, query)
