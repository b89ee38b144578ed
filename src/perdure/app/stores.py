"""Which stores there are, and what they are called: the only module that names one."""

import os
from urllib.parse import urlsplit

from perdure.engine.ports import Store
from perdure.model.errors import InvalidArgumentError
from perdure.stores.memory import MemoryStore
from perdure.stores.sqlite import SqliteReader, SqliteStore, backup

DEFAULT_STORE = "sqlite:///perdure.db"


def store_of(url: str) -> Store:
    """The store that a URL names: ``sqlite:///relative.db``, ``sqlite:////absolute.db`` or ``memory://``.

    Raises ``InvalidArgumentError`` for any other.
    """
    parts = urlsplit(url)
    if parts.scheme == "sqlite" and not parts.netloc and len(parts.path) > 1:
        return SqliteStore(parts.path[1:])
    if parts.scheme == "memory" and not parts.netloc and not parts.path:
        return MemoryStore()
    raise InvalidArgumentError(
        f"The store {url!r} can't be opened. Use 'sqlite:///work.db' for a file in the working folder, "
        "'sqlite:////var/lib/work.db' for an absolute path, or 'memory://'."
    )


def memory_store() -> Store:
    """A store that is gone with the process."""
    return MemoryStore()


def open_reader(path: str | os.PathLike[str]) -> SqliteReader:
    """Look into a store file without owning it, also while an engine does. Raises ``StoreError``."""
    return SqliteReader(path)


__all__ = ["DEFAULT_STORE", "backup", "memory_store", "open_reader", "store_of"]
