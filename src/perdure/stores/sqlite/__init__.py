"""A store in one SQLite file: what ``perdure.open`` uses unless told otherwise."""

from perdure.stores.sqlite.backups import backup
from perdure.stores.sqlite.reader import SqliteReader
from perdure.stores.sqlite.store import SqliteStore

__all__ = ["SqliteReader", "SqliteStore", "backup"]
