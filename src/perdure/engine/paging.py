"""Histories page by page. Who follows a history reads each commit once, however long it grows."""

from collections import OrderedDict
from collections.abc import Sequence

from perdure.engine import encoding
from perdure.engine.ports import Store
from perdure.model.events import AnyRecord, Event
from perdure.model.program import numbered

_REMEMBERED = 4096


class Pages:
    """Reads pages of histories, and remembers where the last ones ended.

    A page begins behind an event; which commit that is in only reading the history can tell. So for each page handed out
    it is noted how many commits lie wholly before its end: whoever asks for the next one reads from there.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._ends: OrderedDict[tuple[int, int], int] = OrderedDict()

    async def page(self, key: int, after: int, limit: int) -> list[Event] | None:
        """At most ``limit`` events of a run with ids above ``after``; None if there is no such run."""
        skipped = self._ends.get((key, after), 0)
        stored = await self._store.history(key, skipped)
        if stored is None:
            return None
        page: list[Event] = []
        whole = skipped
        for commit in stored.commits:
            events = [event for event in numbered(await whole_records(self._store, [commit])) if event.id > after]
            page += events
            if len(page) > limit:
                break
            whole += 1
            if len(page) == limit:
                break
        del page[limit:]
        self._ends[key, page[-1].id if page else after] = whole
        if len(self._ends) > _REMEMBERED:
            self._ends.popitem(last=False)
        return page


async def whole_records(store: Store, commits: Sequence[bytes]) -> list[AnyRecord]:
    """The records of commits, with large payloads in them. Raises ``StoreCorruptError`` if they can't be read."""
    records = encoding.decode(commits)
    digests = encoding.named_blobs(commits)
    if not digests:
        return records
    blobs: dict[bytes, bytes] = {}
    for digest in digests:
        data = await store.blob(digest)
        if data is not None:
            blobs[digest] = data
    return encoding.with_blobs(records, blobs)
