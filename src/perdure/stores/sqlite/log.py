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
from queue import SimpleQueue

from perdure.stores.sqlite.connections import connect_checkpointer

# Below, a checkpoint is not worth its syncs; the log may get several times as long while one is under way.
CHECKPOINT_BYTES = 16 << 20
_ALLOCATED_BYTES = 4 << 20
# What the writer may copy itself without delaying the next commit noticeably.
_SHORT_FRAMES = 256


class WriteAheadLog:
    """Belongs to the writer's thread, which tells it what was written, and lets it ``tend`` to itself in between."""

    def __init__(self, path: str, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._frame_bytes = connection.execute("PRAGMA page_size").fetchone()[0] + 24
        self._writes = 0
        # High at first, since it is corrected only by the first checkpoint; alone, a write touches about four pages.
        self._frames_per_write = 4.0
        self._state = "idle"
        self._requests: SimpleQueue[bool] = SimpleQueue()
        _allocate(path + "-wal")
        self._thread = threading.Thread(
            target=self._copy, args=(path,), name="perdure-sqlite-checkpointer", daemon=True
        )
        self._thread.start()

    def wrote(self, writes: int) -> None:
        """So many writes were committed."""
        self._writes += writes

    def tend(self) -> None:
        """Checkpoint if it is time. Not within a transaction."""
        if self._state == "copied":
            self._state = "idle"
            self._finish()
        elif self._state == "idle" and self._writes * self._frames_per_write * self._frame_bytes >= CHECKPOINT_BYTES:
            self._state = "copying"
            self._requests.put(True)

    def close(self) -> None:
        """Stop the second thread."""
        self._requests.put(False)
        self._thread.join()

    def _finish(self) -> None:
        try:
            _, frames, copied = self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        except sqlite3.Error:
            return  # nothing is lost: what was not copied is in the log; the next write tells of a full or broken disk
        # How many pages a write touches is learned from what it took so far.
        self._frames_per_write = max(frames / max(self._writes, 1), 0.01)
        if frames == copied:
            self._writes = 0

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
    # Only the writer's connection is open, and it has written nothing yet, so nobody else extends the file.
    file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
    try:
        size = os.fstat(file).st_size
        if size < _ALLOCATED_BYTES:
            os.pwrite(file, bytes(_ALLOCATED_BYTES - size), size)
            os.fsync(file)
    finally:
        os.close(file)
