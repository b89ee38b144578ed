"""A store file that answers as a server would, beside an engine that may be using it."""

import asyncio
import time
from collections.abc import Sequence

from perdure.cli import stores
from perdure.engine.descriptions import describe, run_count, summary_of
from perdure.engine.search.cursors import cursor_of, place_at
from perdure.engine.search.evaluate import place_of
from perdure.engine.search.parse import parse
from perdure.engine.statistics import oldest_wait, with_oldest
from perdure.kernel.explain import explain
from perdure.model.errors import NotFoundError, PerdureError
from perdure.model.explanation import Explanation
from perdure.model.figures import Figures, OldestWait
from perdure.model.ids import RunAddress
from perdure.model.options import RunStatus
from perdure.model.search import narrowed
from perdure.model.service import HistoryPage, Namespace, RunCount, RunDescription, RunPage

_LOOK_AGAIN_SECONDS = 0.2


class FileSource:
    """See ``Source``. The history that was read last is remembered, for several questions about one run."""

    def __init__(self, reader: stores.Reader) -> None:
        self._reader = reader
        self._last: stores.History | None = None

    async def list(
        self,
        namespace: str,
        *,
        filter: str,
        statuses: Sequence[RunStatus],
        workflow_type: str,
        cursor: str,
        limit: int,
    ) -> RunPage:
        """A page of runs, as ``Service.list`` gives it."""
        types = self._reader.attribute_types().get(namespace, {})
        query = narrowed(parse(filter, types), statuses, workflow_type)
        rows = self._reader.runs(namespace, query, place_at(cursor, query), limit)
        following = cursor_of(place_of(rows[-1], types, query), query) if len(rows) == limit else ""
        return RunPage([summary_of(row) for row in rows], following)

    async def count(
        self, namespace: str, *, filter: str, statuses: Sequence[RunStatus], workflow_type: str
    ) -> RunCount:
        """How many runs there are, as ``Service.count`` gives it."""
        types = self._reader.attribute_types().get(namespace, {})
        query = narrowed(parse(filter, types, counting=True), statuses, workflow_type)
        return run_count(query, self._reader.count(namespace, query))

    async def describe(self, address: RunAddress) -> RunDescription:
        """Where a run stands: with an empty run id, the one started last."""
        history = self._read(address)
        return describe(history.run(), history.size_bytes)

    async def explain(self, address: RunAddress) -> Explanation:
        """What its state tells; whether a worker could go on, only an engine knows."""
        return explain(self._read(address).run(), time.time_ns())

    async def history(self, address: RunAddress, *, after: int, limit: int, wait: bool) -> HistoryPage:
        """Events; to wait for some is to look again and again."""
        history = self._read(address, anew=wait)
        while wait and history.row.history_length <= after and not history.row.status.is_closed:
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
            history = self._read(address, anew=True)
        events = history.events()
        page = [event for event in events if event.id > after][:limit]
        last = page[-1].id if page else after
        is_closed = history.row.status.is_closed and last >= len(events)
        return HistoryPage(history.row.run_id, page, is_closed)

    async def namespaces(self) -> Sequence[Namespace]:
        """All of them, by name."""
        return self._reader.namespaces()

    async def statistics(self, days: int) -> Figures:
        """What the store holds, as ``Service.statistics`` gives it."""
        now = time.time_ns()
        figures = self._reader.figures(now, days)
        oldest = {key: self._oldest(key, now) for key in {task.oldest_key for task in figures.tasks if task.oldest_key}}
        return with_oldest(figures, oldest)

    def _oldest(self, key: int, now: int) -> OldestWait | None:
        try:
            stored = self._reader.read(key)
            return None if stored is None else oldest_wait(stores.read(self._reader, stored.row).run(), now)
        except PerdureError:
            return None

    def _read(self, address: RunAddress, *, anew: bool = False) -> stores.History:
        last = self._last
        if not anew and last is not None:
            row = last.row
            if address == RunAddress(row.namespace, row.workflow_id, row.run_id):
                return last
        found = self._reader.find(address.namespace, address.workflow_id, address.run_id)
        if found is None:
            raise NotFoundError(f"There is no workflow {address.workflow_id!r} in namespace {address.namespace!r}.")
        self._last = stores.read(self._reader, found)
        return self._last
