"""Finding runs by workflow id, without paying for an index on every start.

Workflow ids come in no order, so an index over them dirties a page of its own for nearly every start: measured at a
million runs, that alone was more than half of all that a run writes. So the index is kept as a log-structured tree of
two levels:

- Runs above a *boundary* key are not in the index on disk but in dictionaries here. Opening the file reads them again.
- When many have gathered, they are moved into the table ``workflow_ids``, one 64th of all hashes with each of the next
  transactions. Only then are many entries written to each page. When all are, the boundary rises.

And since most lookups are for ids that do not exist yet (each start asks), a bit for every hash that ever was says so
without asking SQLite; the bits are stored with the 64th they belong to.

The writer's thread changes what is here, only it; the engine's thread reads it. A reader looks at ``recent``, then at
``moving``, then in the table, and the writer moves entries along in that order, so none is missed on the way.
"""

import mmap
import sqlite3
from collections.abc import Iterable, Iterator
from zlib import crc32

from perdure.engine.ports import RunRow
from perdure.stores.sqlite.queries import execute_rows, query

HASH_BITS = 32
_PART_BITS = 6
_PARTS = 1 << _PART_BITS
_PART_SHIFT = HASH_BITS - _PART_BITS
_FILTER_BITS = 26
_FILTER_BYTES = 1 << (_FILTER_BITS - 3)
_PART_BYTES = _FILTER_BYTES >> _PART_BITS

# What opening reads again is at most about twice this, in some 100 ms; fewer would write more pages for each run.
MOVE_AT = 1 << 16
MOVE_AT_CLOSE = 1 << 14
# About a thousand runs, and the 128 KiB of their bits: some milliseconds.
PARTS_AT_ONCE = 1


def workflow_hash(namespace: str, workflow_id: str) -> int:
    """The hash that is stored. Different ids may share it, so whoever finds a run by it compares the ids."""
    return crc32(f"{namespace}\0{workflow_id}".encode(errors="surrogatepass"))


# The keys of the runs with a hash: one, as good as always, or several.
_Keys = dict[int, int | list[int]]


class WorkflowIds:
    """Where the runs of each workflow id are."""

    def __init__(self) -> None:
        self._filter = _zeros(_FILTER_BYTES)
        self._boundary = 0
        self._highest = 0
        self._recent = _empty_parts()
        self._recent_count = 0
        self._moving = _empty_parts()
        self._next_part = _PARTS

    def load(self, connection: sqlite3.Connection) -> None:
        """Read what the file knows."""
        for part, bits in connection.execute(query("read_filter")):
            self._filter[part * _PART_BYTES : (part + 1) * _PART_BYTES] = bits
        self._boundary = self._highest = connection.execute(query("read_indexed_key")).fetchone()[0]
        self._remember(connection.execute(query("read_unindexed"), (self._boundary,)))

    # For the engine's thread

    def may_have(self, namespace: str, workflow_id: str) -> bool:
        """Whether there may be a run of the workflow id anywhere; false is certain."""
        hash = workflow_hash(namespace, workflow_id)
        part = hash >> _PART_SHIFT
        return hash in self._recent[part] or hash in self._moving[part] or self.may_be_stored(hash)

    def recent(self, hash: int) -> Iterator[int]:
        """Keys that may not be in the table, newest first. They may be of other ids with the same hash, or deleted."""
        for known in (self._recent, self._moving):
            keys = known[hash >> _PART_SHIFT].get(hash)
            if keys is not None:
                yield from (keys,) if isinstance(keys, int) else sorted(keys, reverse=True)

    def is_last(self, namespace: str, workflow_id: str, key: int) -> bool:
        """Whether a run that is stored is the last one of its workflow id; false is not certain."""
        hash = workflow_hash(namespace, workflow_id)
        for known in (self._recent, self._moving):
            keys = known[hash >> _PART_SHIFT].get(hash)
            if keys is not None:
                return (keys if isinstance(keys, int) else max(keys)) == key
        return False

    def may_be_stored(self, hash: int) -> bool:
        """Whether the table may have the hash; false is certain."""
        return bool(self._filter[hash >> 9] >> (hash >> 6 & 7) & 1)

    # For the writer's thread, within a transaction

    def store_late(self, connection: sqlite3.Connection, created: Iterable[RunRow]) -> None:
        """Runs created out of order, with keys that the table covers or will cover, go into it at once."""
        for row in created:
            if row.key <= self._boundary:
                hash = workflow_hash(row.namespace, row.workflow_id)
                self._index(connection, hash >> _PART_SHIFT, {hash: row.key})

    def move(self, connection: sqlite3.Connection, *, everything: bool = False) -> int:
        """Write some of what is on the move into the table; how many parts, for ``moved`` after the commit."""
        if not self.is_moving:
            return 0
        # If more gathers than is moved, hurry.
        count = _PARTS if everything else PARTS_AT_ONCE * (1 + self._recent_count // MOVE_AT)
        count = min(count, _PARTS - self._next_part)
        for part in range(self._next_part, self._next_part + count):
            self._index(connection, part, self._moving[part])
        if self._next_part + count == _PARTS:
            connection.execute(query("set_indexed_key"), (self._boundary,))
        return count

    def forget(self, connection: sqlite3.Connection, row: RunRow) -> None:
        """A run is being deleted."""
        hash = workflow_hash(row.namespace, row.workflow_id)
        connection.execute(query("unindex_workflow_id"), (hash, row.key))

    # For the writer's thread, after the commit

    def created(self, rows: Iterable[RunRow]) -> None:
        """Runs were stored."""
        self._remember((row.key, row.namespace, row.workflow_id) for row in rows)
        if self._recent_count >= MOVE_AT and not self.is_moving:
            self.begin_move()

    def deleted(self, rows: Iterable[RunRow]) -> None:
        """Runs were deleted: what is not in the table yet must not get there."""
        for row in rows:
            hash = workflow_hash(row.namespace, row.workflow_id)
            for known in (self._recent, self._moving):
                _remove(known[hash >> _PART_SHIFT], hash, row.key)

    def begin_move(self) -> None:
        """From here on, transactions move entries. New runs below the boundary are late."""
        self._boundary = self._highest
        # In this order, for the reader.
        self._moving = self._recent
        self._recent = _empty_parts()
        self._recent_count = 0
        self._next_part = 0

    def moved(self, count: int) -> None:
        """That many parts are in the table."""
        if not count:
            return
        self._next_part += count
        if not self.is_moving:
            self._moving = _empty_parts()

    @property
    def is_moving(self) -> bool:
        """Whether a move has begun and not ended."""
        return self._next_part < _PARTS

    @property
    def is_long(self) -> bool:
        """Whether so much has gathered that the next opening would take noticeably longer for it."""
        return self._recent_count >= MOVE_AT_CLOSE or self.is_moving

    def _remember(self, runs: Iterable[tuple[int, str, str]]) -> None:
        recent, boundary, highest = self._recent, self._boundary, self._highest
        count = 0
        for key, namespace, workflow_id in runs:
            hash = crc32(f"{namespace}\0{workflow_id}".encode(errors="surrogatepass"))
            if key > boundary:
                part = recent[hash >> _PART_SHIFT]
                count += 1
                if key > highest:
                    highest = key
            else:
                # ``store_late`` has put it into the table. Beside older ones on the move it must be found before them;
                # alone here, it would hide newer ones in the table.
                part = self._moving[hash >> _PART_SHIFT]
                if hash not in part:
                    continue
            keys = part.setdefault(hash, key)
            if keys != key:
                if isinstance(keys, list):
                    keys.append(key)
                else:
                    part[hash] = [keys, key]
        self._recent_count += count
        self._highest = highest

    def _index(self, connection: sqlite3.Connection, part: int, known: _Keys) -> None:
        flat: list[int] = []
        start = part * _PART_BYTES
        bits = bytearray(self._filter[start : start + _PART_BYTES])
        for hash, keys in known.items():
            bits[(hash >> 9) - start] |= 1 << (hash >> 6 & 7)
            for key in (keys,) if isinstance(keys, int) else keys:
                flat += (hash, key)
        # Before the commit: a bit too many is no harm, one that is missing would hide a run.
        self._filter[start : start + _PART_BYTES] = bytes(bits)
        execute_rows(connection, "index_workflow_ids", flat)
        connection.execute(query("put_filter"), (part, bits))


def _zeros(size: int) -> mmap.mmap:
    # Memory that takes no room until it is written to: a small store keeps a small filter. Where it can be shared with
    # other processes, looking at it is enough to take room.
    if hasattr(mmap, "MAP_PRIVATE"):
        return mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    return mmap.mmap(-1, size)


def _empty_parts() -> list[_Keys]:
    return [{} for _ in range(_PARTS)]


def _remove(known: _Keys, hash: int, key: int) -> None:
    keys = known.get(hash)
    if keys == key:
        del known[hash]
    elif isinstance(keys, list) and key in keys:
        keys.remove(key)
