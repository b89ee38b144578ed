"""Where the rooms are chosen: nothing outside this folder names a concrete store, protocol or gate.

- ``stores``: which stores there are, by URL.
- ``embedded``: engine, worker and client together in one process.
- ``server``: an engine that others connect to.
"""

from perdure.app.embedded import Embedded, open
from perdure.app.stores import DEFAULT_STORE, backup, memory_store, open_reader, store_of

__all__ = ["DEFAULT_STORE", "Embedded", "backup", "memory_store", "open", "open_reader", "store_of"]
