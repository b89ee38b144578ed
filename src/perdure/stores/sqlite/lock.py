"""One engine per file: an operating-system lock on a file beside the store's.

It is a POSIX record lock, because that one dies with its process and only with it: a ``flock`` would live on in
forked children of a killed engine (a process pool's workers, say) and keep the next engine out. Record locks do not
keep one process from locking a file twice, and closing any descriptor of the file drops them; hence the register of
what this process holds. The epoch in the file is the second line of defence.

The lock file is never removed: whoever waits for the old one and whoever makes a new one would both own the store.
"""

import os
import sys
import threading

from perdure.model.errors import StoreError, StoreLockedError

# Device and inode of each lock file, and the process: a forked child inherits the register, but not the locks.
_held: dict[tuple[int, int], int] = {}
_register = threading.Lock()


class FileLock:
    """Exclusive ownership of ``<path>.lock`` until ``release`` or the end of the process."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._file = -1
        self._identity = (0, 0)

    def take(self) -> None:
        """Raises ``StoreLockedError`` naming the owner, or ``StoreError`` if the lock file can't be made."""
        with _register:
            try:
                present = os.stat(self._path)
            except FileNotFoundError:
                present = None
            if present is not None and _held.get((present.st_dev, present.st_ino)) == os.getpid():
                raise StoreLockedError(
                    f"{self._path} is held by this process (pid {os.getpid()}): another engine in it uses this store; "
                    "use that engine, or close it first"
                )
            file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                _lock(file)
            except BlockingIOError:
                owner = os.read(file, 32).decode("ascii", "replace").strip() or "unknown"
                os.close(file)
                raise StoreLockedError(
                    f"{self._path} is held by another process (pid {owner}), whose engine uses this store; stop that "
                    "process first"
                ) from None
            except OSError as error:
                os.close(file)
                raise StoreError(
                    f"{self._path} can't be locked ({error}); keep the store on a file system where locks work"
                ) from error
            os.ftruncate(file, 0)
            os.write(file, f"{os.getpid()}\n".encode())
            status = os.fstat(file)
            self._file, self._identity = file, (status.st_dev, status.st_ino)
            _held[self._identity] = os.getpid()

    def release(self) -> None:
        """Give it up; nothing happens if it is not held."""
        with _register:
            if self._file >= 0:
                os.close(self._file)
                self._file = -1
                _held.pop(self._identity, None)


if sys.platform == "win32":
    import msvcrt

    def _lock(file: int) -> None:
        # Windows' locks forbid reading, and others are to read the pid: so a byte far behind it is locked.
        os.lseek(file, 1 << 30, os.SEEK_SET)
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except PermissionError as error:
            raise BlockingIOError from error
        finally:
            os.lseek(file, 0, os.SEEK_SET)

else:
    import fcntl

    def _lock(file: int) -> None:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except PermissionError as error:  # POSIX allows EACCES to mean "locked"
            raise BlockingIOError from error
