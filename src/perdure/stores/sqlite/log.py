"""Keeps the write-ahead log short, and its file allocated.

SQLite appends every commit to the log; a checkpoint copies the pages into the file, and once all are copied, the log
starts again at its beginning. Done by the writer as usual, that would stop all writing for tens of milliseconds. So a
second thread with a connection of its own copies while the writer goes on, and the writer only copies the few pages
that came meanwhile.

A sync is a third faster (0.14 instead of 0.24 ms on ext4) where the file need not grow. So it is filled with zeros
once, at the start, as far as it will be used. This is safe: SQLite takes a frame for real only if its checksum and
salt are right, and the log is never cut shorter while it is open.
"""

import os
import sqlite3
import threading
from contextlib import suppress
from queue import SimpleQueue

from perdure.stores.sqlite.connections import connect_checkpointer

# More makes checkpoints rarer, but reads, recovery and the checkpoints themselves longer.
CHECKPOINT_BYTES = 16 << 20
_ALLOCATED_BYTES = 4 << 20
# The tables that a lone write touches; for each one more in the same transaction it is often less than one.
_FRAMES_PER_TRANSACTION = 4
# What the writer may copy itself without delaying the next commit noticeably.
_SHORT_FRAMES = 256


class WriteAheadLog:
    """Belongs to the writer's thread, which tells it what was written, and lets it ``tend`` to itself in between."""

    def __init__(self, path: str, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._limit = CHECKPOINT_BYTES // connection.execute("PRAGMA page_size").fetchone()[0]
        self._due = self._limit
        # How long the log is by now, as far as the writer can know: only a checkpoint tells, and corrects the guess.
        self._transactions = 0
        self._writes = 0
        self._frames_per_write = 1.0
        self._state = "idle"
        self._requests: SimpleQueue[bool] = SimpleQueue()
        _allocate(path + "-wal")
        self._thread = threading.Thread(
            target=self._copy, args=(path,), name="perdure-sqlite-checkpointer", daemon=True
        )
        self._thread.start()

    def wrote(self, writes: int) -> None:
        """A transaction of so many writes was committed."""
        self._transactions += 1
        self._writes += writes

    def tend(self) -> None:
        """Checkpoint if it is time. Not within a transaction."""
        if self._state == "copied":
            self._state = "idle"
            self._finish()
        elif self._state == "idle" and self._guessed_frames() >= self._due:
            self._state = "copying"
            self._requests.put(True)

    def close(self) -> None:
        """Stop the second thread."""
        self._requests.put(False)
        self._thread.join()

    def _guessed_frames(self) -> float:
        return _FRAMES_PER_TRANSACTION * self._transactions + self._frames_per_write * self._writes

    def _finish(self) -> None:
        try:
            _, frames, copied = self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        except sqlite3.Error:
            # Nothing is lost: what was not copied is in the log. If the disk is full or broken, the next write tells.
            frames = copied = 0
        if frames > 0 and self._writes > 0:
            beyond_first = frames - _FRAMES_PER_TRANSACTION * self._transactions
            self._frames_per_write = max(beyond_first / self._writes, 0.05)
        if frames == copied:
            self._transactions, self._writes, self._due = 0, 0, self._limit
        else:
            # Someone reads what is old, so the log can't start again yet.
            self._due = frames + self._limit

    def _copy(self, path: str) -> None:
        connection: sqlite3.Connection | None = None
        while self._requests.get():
            try:
                if connection is None:
                    connection = connect_checkpointer(path)
                left = None
                while True:
                    _, frames, copied = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                    if frames - copied <= _SHORT_FRAMES or (left is not None and frames - copied >= left):
                        break
                    left = frames - copied
            except sqlite3.Error:
                pass  # as above
            self._state = "copied"
        if connection is not None:
            connection.close()


def _allocate(path: str) -> None:
    # Zeros rather than a hole or a reservation, with which a file system still has to write down what it gives. Only the
    # writer's connection writes, and it is not writing now, so nobody else extends the file.
    with suppress(OSError), open(path, "ab") as file:
        missing = _ALLOCATED_BYTES - file.tell()
        if missing > 0:
            file.write(bytes(missing))
            file.flush()
            os.fsync(file.fileno())
