"""Bringing runs into memory: by name from the store, folded from their histories, each at most once at a time."""

# Else the annotations of inner functions would be worked out each time that the outer one is called.
from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial

from perdure.engine import encoding
from perdure.engine.ports import RunRow, Store, StoredRun
from perdure.engine.resident import Resident, Residents
from perdure.kernel.apply import fold
from perdure.model.errors import PerdureError, StoreError
from perdure.model.events import AnyRecord
from perdure.model.ids import RunAddress
from perdure.model.program import numbered

log = logging.getLogger("perdure.engine")

Then = Callable[[Resident | PerdureError | None], None]


class Loader:
    """Finds runs in memory or in the store. ``parked`` are runs whose history does not fold, by run id, with what is
    wrong."""

    def __init__(self, store: Store, residents: Residents) -> None:
        self._store = store
        self._residents = residents
        self._waiting: dict[int, list[Then]] = {}
        self.parked: dict[str, str] = {}
        self.loads = 0
        """How many runs were folded from their histories, because they were not in memory."""

    @property
    def is_loading(self) -> bool:
        """Whether any run is being read."""
        return bool(self._waiting)

    def find(self, address: RunAddress, then: Then, *, even_closed: bool = True) -> None:
        """Bring the run with this address into memory. Unless ``even_closed``, one that is in the store and closed
        counts as not found, which costs no reading of its history."""
        resident = self._residents.find(address.namespace, address.workflow_id, address.run_id)
        if resident is not None:
            then(resident)
            return

        def found(row: RunRow | StoreError | None) -> None:
            if row is None or isinstance(row, StoreError):
                then(row)
            elif row.close_time and not even_closed:
                then(None)
            else:
                self.load(row.key, then)

        self._store.find(address.namespace, address.workflow_id, address.run_id, found)

    def load(self, key: int, then: Then) -> None:
        """Bring the run with this key into memory. Those who ask while it is being read share one reading."""
        resident = self._residents.by_key(key)
        if resident is not None:
            then(resident)
            return
        if key in self._waiting:
            self._waiting[key].append(then)
            return
        waiters = self._waiting[key] = [then]
        self.loads += 1

        def loaded(result: Resident | PerdureError | None) -> None:
            del self._waiting[key]
            for waiter in waiters:
                waiter(result)

        def read(stored: StoredRun | StoreError | None) -> None:
            if isinstance(stored, StoredRun):
                self._whole_records(stored, lambda records: self._hold(stored, records, loaded))
            else:
                loaded(stored)

        self._store.read(key, read)

    def bring(self, keys: Sequence[int]) -> None:
        """Bring runs into memory that are about to be asked for, with one reading, as far as there is room for them."""
        missing = [key for key in dict.fromkeys(keys) if key not in self._residents and key not in self._waiting]
        del missing[self._residents.room :]
        if len(missing) < 2:
            return

        def read(found: Sequence[StoredRun] | StoreError) -> None:
            if isinstance(found, StoreError):
                return  # whoever asks for one of them is told
            for stored in found:
                self.loads += 1
                self._whole_records(stored, partial(self._hold, stored, then=_nothing))

        self._store.read_many(missing, read)

    def history(self, key: int, then: Callable[[list[AnyRecord] | PerdureError | None], None]) -> None:
        """Read the records of a run that is in memory once more, for a new program."""

        def read(stored: StoredRun | StoreError | None) -> None:
            if isinstance(stored, StoredRun):
                self._whole_records(stored, then)
            else:
                then(stored)

        self._store.read(key, read)

    def park(self, run_id: str, error: PerdureError) -> None:
        """Leave a run alone that broke an invariant, until the engine is opened again."""
        self.parked[run_id] = str(error)
        log.error("Run %s is parked: %s", run_id, error, exc_info=error, extra={"run_id": run_id})

    def _whole_records(self, stored: StoredRun, then: Callable[[list[AnyRecord] | PerdureError], None]) -> None:
        try:
            digests = encoding.named_blobs(stored.commits)
            records = encoding.decode(stored.commits)
        except PerdureError as error:
            then(error)
            return
        if not digests:
            then(records)
            return

        def fetched(blobs: dict[bytes, bytes] | StoreError) -> None:
            if isinstance(blobs, StoreError):
                then(blobs)
                return
            try:
                whole = encoding.with_blobs(records, blobs)
            except PerdureError as error:
                then(error)
            else:
                then(whole)

        self._store.blobs(digests, fetched)

    def _hold(self, stored: StoredRun, records: list[AnyRecord] | PerdureError, then: Then) -> None:
        row = stored.row
        if isinstance(records, PerdureError):
            self.park(row.run_id, records)
            then(records)
            return
        try:
            run = fold(row.namespace, row.run_id, records)
        except PerdureError as error:
            self.park(row.run_id, error)
            then(error)
            return
        resident = Resident(row.key, run, RunAddress(row.namespace, row.workflow_id, row.run_id))
        resident.commits = len(stored.commits)
        resident.history_bytes = sum(map(len, stored.commits))
        resident.unseen = numbered(records)

        def current(last: RunRow | StoreError | None) -> None:
            # Another request may have brought the run in meanwhile; then that one is the truth.
            known = self._residents.by_key(row.key)
            if known is None:
                is_last = isinstance(last, RunRow) and last.key == row.key
                present = self._residents.find(row.namespace, row.workflow_id, "")
                self._residents.add(resident, is_current=is_last and present is None)
            then(known or resident)
            # Only now: where there is no room it would be forgotten before it is used, and then be there twice.
            self._residents.shrink()

        if stored.is_last:
            current(row)
        else:
            self._store.find(row.namespace, row.workflow_id, "", current)


def _nothing(resident: Resident | PerdureError | None) -> None:
    """Nobody waits for it yet."""
