"""The workflow ``perdure.batch``: one run for each batch.

It finds a page of runs, does what it is to do to a few of them at a time, and goes on as a new run after a while. A pause
is the pause of its own run, and to stop it is to cancel that: what is under way, a second of work at most, still ends.
"""

import asyncio
from collections.abc import Callable

from perdure.model.errors import ApplicationError
from perdure.model.service import Service
from perdure.sdk import activity, workflow
from perdure.sdk.app import App
from perdure.sdk.batches import acting
from perdure.sdk.batches.definition import (
    MEMO,
    MOST_FAILURES,
    WORKFLOW_TYPE,
    Acted,
    AskAct,
    AskRuns,
    Definition,
    Found,
    State,
    listed,
    name_of,
    system_workflow_id,
)
from perdure.sdk.retry import Retry
from perdure.sdk.schedules.definition import SYSTEM_QUEUE

PAGE = 200
"""Runs found at once."""

CHUNK = 100
"""Runs that one activity deals with at most; fewer where the rate is low, so that a pause takes effect soon."""

STEPS = 100
"""After so many activities the history is long enough to begin a new one."""

_SECONDS_AT_ONCE = 1.0
_RETRY = Retry(initial=1.0, maximum=60.0)


def batch_app(service: Callable[[], Service]) -> App:
    """The app that every engine serves besides the user's own. ``service`` gives the engine, once it is there."""
    app = App("perdure.batches", task_queue=SYSTEM_QUEUE)

    @app.activity(name="perdure.batch.count", retry=_RETRY)
    async def count_runs(definition: Definition) -> int:
        return await acting.count_runs(service(), definition)

    @app.activity(name="perdure.batch.find", retry=_RETRY)
    async def find_runs(ask: AskRuns) -> Found:
        return await acting.find_runs(service(), ask)

    @app.activity(name="perdure.batch.act", retry=_RETRY)
    async def act(ask: AskAct) -> Acted:
        return await acting.act(service(), ask, activity.info().attempt)

    @app.workflow(name=WORKFLOW_TYPE)
    class Batch:
        """See the module."""

        def __init__(self) -> None:
            self.state: State | None = None

        @workflow.query
        def look(self) -> State | None:
            return self.state

        async def run(self, state: State) -> State:
            self.state = state
            own_id = system_workflow_id(state.definition.namespace, state.definition.id)
            if workflow.info().workflow_id != own_id:
                # The id says for which namespace it may work, and was checked when it was started.
                raise ApplicationError(f"a batch of this definition has the workflow id {own_id!r}")
            counts, definition = state.counts, state.definition
            if counts.total < 0:
                counts.total = await count_runs(definition)
                tell(state)
            for _ in range(STEPS):
                if state.waiting:
                    await self.take_some(state)
                elif state.is_last_page:
                    return state
                else:
                    found = await find_runs(AskRuns(definition, state.cursor, PAGE))
                    state.waiting, state.cursor, state.is_last_page = found.runs, found.cursor, not found.cursor
            return workflow.continue_as_new(state)

        async def take_some(self, state: State) -> None:
            size = chunk_size(state.definition.rate)
            ask = AskAct(state.definition, state.waiting[:size])
            acting = asyncio.ensure_future(act(ask))
            try:
                acted = await asyncio.shield(acting)
            except asyncio.CancelledError:
                # What has begun is done, and is counted before this ends.
                record(state, await acting)
                raise
            record(state, acted)

    return app


def chunk_size(rate: float) -> int:
    """How many runs one activity deals with."""
    return max(1, min(CHUNK, int(rate * _SECONDS_AT_ONCE))) if rate else CHUNK


def record(state: State, acted: Acted) -> None:
    """Count what became of the runs that came first."""
    counts = state.counts
    state.waiting = state.waiting[acted.done + acted.skipped + len(acted.failures) :]
    counts.done += acted.done
    counts.skipped += acted.skipped
    counts.failed += len(acted.failures)
    state.failures = [*state.failures, *acted.failures][:MOST_FAILURES]
    tell(state)


def tell(state: State) -> None:
    """Let lists show how far it has come."""
    counts = state.counts
    dealt_with = counts.done + counts.skipped + counts.failed
    workflow.upsert_memo({MEMO: listed(state)})
    workflow.progress(dealt_with, max(counts.total, dealt_with), name_of(state.definition.operation))
