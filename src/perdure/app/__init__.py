"""Where the rooms are chosen: nothing outside this folder names a concrete store, protocol or gate.

- ``stores``: which stores there are, by URL.
- ``embedded``: engine, worker and client together in one process; ``script``: for one workflow.
- ``server``: an engine that others connect to.
- ``remote``: clients and workers that connect to one.
- ``config``: the settings of a server, and where their values come from.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from perdure.app.embedded import Embedded, open
    from perdure.app.remote import DEFAULT_SERVER, Worker, connect
    from perdure.app.script import execute
    from perdure.app.stores import DEFAULT_STORE, backup, memory_store, open_reader, store_of
else:
    # Loaded when asked for: who only reads the settings, or a file, need not wait for all the rest.
    _PLACES = {
        "embedded": ("Embedded", "open"),
        "remote": ("DEFAULT_SERVER", "Worker", "connect"),
        "script": ("execute",),
        "stores": ("DEFAULT_STORE", "backup", "memory_store", "open_reader", "store_of"),
    }

    def __getattr__(name: str) -> object:
        for module, names in _PLACES.items():
            if name in names:
                return getattr(import_module(f"{__name__}.{module}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "DEFAULT_SERVER",
    "DEFAULT_STORE",
    "Embedded",
    "Worker",
    "backup",
    "connect",
    "execute",
    "memory_store",
    "open",
    "open_reader",
    "store_of",
]
