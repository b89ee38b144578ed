"""Which peers can be measured here: the only module of the bench that names them."""

from bench.context import Peer
from bench.peers import dbos_sqlite, restate_server


def opponents() -> tuple[list[Peer], dict[str, str]]:
    """Those that can be measured, and of the others, by name, why not."""
    present: list[Peer] = []
    absent: dict[str, str] = {}
    for name, module, engine in (
        ("DBOS", dbos_sqlite, dbos_sqlite.DbosSqlite),
        ("Restate", restate_server, restate_server.RestateServer),
    ):
        missing = module.available()
        if missing is None:
            present.append(Peer(name, module.title(), module.CONCURRENCIES, engine))
        else:
            absent[name] = missing
    return present, absent
