"""What clients read of runs: one as it is, its history, and lists of them."""

# Else the annotations of inner functions would be worked out each time that the outer one is called.
from __future__ import annotations

import asyncio
from collections.abc import Sequence

from perdure.engine.descriptions import run_count, summary_of
from perdure.engine.engine import Engine
from perdure.engine.entrance import Entrance
from perdure.engine.paging import Pages
from perdure.engine.ports import Store
from perdure.engine.refusals import durable
from perdure.engine.resident import Resident
from perdure.engine.search.cursors import cursor_of, place_at
from perdure.engine.search.evaluate import place_of
from perdure.engine.search.parse import make_ready, parse
from perdure.model import service as s
from perdure.model.errors import NotFoundError
from perdure.model.ids import RunAddress
from perdure.model.options import RunStatus
from perdure.model.search import AttributeTypes, narrowed


class Reading:
    """Reads runs; shows nothing that is not written."""

    def __init__(self, engine: Engine, store: Store, entrance: Entrance) -> None:
        self._engine = engine
        self._store = store
        self._entrance = entrance
        self._pages = Pages(store)

    async def as_written(self, address: RunAddress) -> Resident:
        """A run, with all that is decided of it written; where no run id is given, the last one by then."""
        resident = await self._engine.resident(address)
        has_waited = resident.in_flight > 0
        await durable(self._engine.pipeline, resident)
        while has_waited and resident.run.close is not None and not address.run_id:
            # Meanwhile another run may have taken its place.
            last = await self._engine.resident(address)
            if last is resident:
                break
            resident = last
            await durable(self._engine.pipeline, resident)
        return resident

    async def history(self, address: RunAddress, *, after: int, limit: int, wait: bool) -> s.HistoryPage:
        """As ``Service.history``."""
        limit = min(limit, self._engine.limits.page_size) if limit > 0 else self._engine.limits.page_size
        resident = await self._engine.resident(address)
        if wait:
            await self._grown_beyond(resident, after)
        await durable(self._engine.pipeline, resident)
        return await self._page(resident, after, limit)

    async def _grown_beyond(self, resident: Resident, after: int) -> None:
        may_wait = False
        while resident.run.close is None and resident.run.history_length <= after:
            grown: asyncio.Future[None] = asyncio.get_running_loop().create_future()

            def wake(grown: asyncio.Future[None] = grown) -> None:
                if not grown.done():
                    grown.set_result(None)

            if may_wait or not self._entrance.refuse_waiting(grown):
                may_wait = True
                self._engine.waiting.for_growth(resident.key, grown, wake)
            await grown
            resident = await self._by_key(resident)

    async def _by_key(self, resident: Resident) -> Resident:
        """The run as it is in memory now; it may have been forgotten and read again."""
        run = resident.run
        return await self._engine.resident(RunAddress(run.namespace, run.workflow_id, run.run_id))

    async def _page(self, resident: Resident, after: int, limit: int) -> s.HistoryPage:
        run = resident.run
        page = await self._pages.page(resident.key, after, limit)
        if page is None:
            raise NotFoundError(f"Run {run.run_id} of workflow {run.workflow_id!r} was deleted.")
        last = page[-1].id if page else after
        is_closed = run.close is not None and last >= run.close.id
        return s.HistoryPage(run.run_id, page, is_closed)

    async def list(
        self,
        namespace: str,
        *,
        filter: str,
        statuses: Sequence[RunStatus],
        workflow_type: str,
        cursor: str,
        limit: int,
    ) -> s.RunPage:
        """As ``Service.list``."""
        limit = min(limit, self._engine.limits.page_size) if limit > 0 else self._engine.limits.page_size
        types = self._types(namespace)
        await make_ready(filter)
        query = narrowed(parse(filter, types), statuses, workflow_type)
        rows = await self._store.runs(namespace, query, place_at(cursor, query), limit)
        following = cursor_of(place_of(rows[-1], types, query), query) if len(rows) == limit else ""
        return s.RunPage([summary_of(row) for row in rows], following)

    async def count(
        self, namespace: str, *, filter: str, statuses: Sequence[RunStatus], workflow_type: str
    ) -> s.RunCount:
        """As ``Service.count``."""
        types = self._types(namespace)
        await make_ready(filter)
        query = narrowed(parse(filter, types, counting=True), statuses, workflow_type)
        return run_count(query, await self._store.count(namespace, query))

    def _types(self, namespace: str) -> AttributeTypes:
        return self._engine.attributes.known.get(namespace, {})
