"""The two forms of the demo: what runs beside the service, and what of it is killed.

- ``EmbeddedStage``: one process that has engine, worker and client. It is killed.
- ``ServerStage``: a server, workers and a client, each a process. The server and the workers are killed in turn.

Each process that does the orders' work tells the service a number that grows with every kill, so the ledger shows who
went on. A worker that lives on takes the number of the server that came after a kill, from a file.
"""

import socket
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

from perdure.demo.judge import Kill
from perdure.demo.processes import Child

ENGINE = "perdure.demo.engine"
SERVER = "perdure.demo.server"
WORKER = "perdure.demo.worker"
CLIENT = "perdure.demo.client"

WORKERS = 2


class Stage(Protocol):
    """What is there to be killed."""

    what: str
    """What is killed, for people."""

    def begin(self, service_url: str) -> None:
        """Start everything; ``service_url`` is where the orders' service listens."""
        ...

    @property
    def pid(self) -> int:
        """Of whoever is killed next."""
        ...

    @property
    def exit_code(self) -> int | None:
        """Of whoever ends when all orders are settled; None before."""
        ...

    def kill(self) -> Kill:
        """Kill the next one, and start it again."""
        ...

    def failed(self) -> Child | None:
        """A process that ended by itself and should not have, or ended badly."""
        ...

    def end(self) -> None:
        """Let all of it end."""
        ...


class EmbeddedStage:
    """See the module."""

    what = "the engine"

    def __init__(self, folder: Path, children: ExitStack, orders: int, seed: int, at_once: int) -> None:
        self._folder = folder
        self._children = children
        self._options: dict[str, object] = {"orders": orders, "seed": seed, "at-once": at_once}
        self._number = 0

    def begin(self, service_url: str) -> None:
        """As ``Stage.begin``."""
        store = f"sqlite:///{(self._folder / 'engine.db').absolute()}"
        self._options |= {"store": store, "service": service_url}
        self._engine = self._start()

    def _start(self) -> Child:
        self._number += 1
        engine = Child(ENGINE, {**self._options, "number": self._number}, self._folder / "engine.log")
        self._children.callback(engine.kill)
        return engine

    @property
    def pid(self) -> int:
        """As ``Stage.pid``."""
        return self._engine.pid

    @property
    def exit_code(self) -> int | None:
        """As ``Stage.exit_code``."""
        return self._engine.exit_code

    def kill(self) -> Kill:
        """As ``Stage.kill``."""
        killed = Kill(self._number, self._engine.kill())
        self._engine = self._start()
        return killed

    def failed(self) -> Child | None:
        """As ``Stage.failed``."""
        return self._engine if self._engine.exit_code else None

    def end(self) -> None:
        """As ``Stage.end``."""


class ServerStage:
    """See the module."""

    what = "the server and its workers"

    def __init__(self, folder: Path, children: ExitStack, orders: int, seed: int, at_once: int) -> None:
        self._folder = folder
        self._children = children
        self._orders = {"orders": orders, "seed": seed, "at-once": at_once}
        self._number = 0
        self._kills = 0
        self._life = folder / "life"
        self._addresses = {"rest-address": _free_address(), "grpc-address": _free_address()}

    def begin(self, service_url: str) -> None:
        """As ``Stage.begin``."""
        self._service_url = service_url
        self._server = self._start_server()
        self._workers = [self._start_worker() for _ in range(WORKERS)]
        self._client = self._start(CLIENT, {**self._orders, "server": f"http://{self._addresses['rest-address']}"})

    def _start(self, module: str, options: dict[str, object]) -> Child:
        child = Child(module, options, self._folder / f"{module.rpartition('.')[2]}.log")
        self._children.callback(child.kill)
        return child

    def _start_server(self) -> Child:
        self._number += 1
        store = f"sqlite:///{(self._folder / 'engine.db').absolute()}"
        server = self._start(SERVER, {"store": store, **self._addresses})
        # From here on whatever a worker begins, it was given by this server.
        written = self._life.with_suffix(".new")
        written.write_text(str(self._number))
        written.replace(self._life)
        return server

    def _start_worker(self) -> Child:
        self._number += 1
        url = f"http://{self._addresses['rest-address']}"
        options = {"server": url, "service": self._service_url, "number": self._number, "life": self._life}
        return self._start(WORKER, options)

    @property
    def pid(self) -> int:
        """As ``Stage.pid``."""
        return self._next().pid

    def _next(self) -> Child:
        return self._workers[self._kills // 2 % WORKERS] if self._kills % 2 else self._server

    @property
    def exit_code(self) -> int | None:
        """As ``Stage.exit_code``."""
        return self._client.exit_code

    def kill(self) -> Kill:
        """As ``Stage.kill``."""
        child, number = self._next(), self._number
        at_ns = child.kill()
        if child is self._server:
            self._server = self._start_server()
            what = "server"
        else:
            self._workers[self._workers.index(child)] = self._start_worker()
            what = "worker"
        self._kills += 1
        return Kill(number, at_ns, what)

    def failed(self) -> Child | None:
        """As ``Stage.failed``."""
        for child in (self._server, *self._workers):
            if child.exit_code is not None:
                return child
        return self._client if self._client.exit_code else None

    def end(self) -> None:
        """As ``Stage.end``. Workers first: without a server they would try to reach it."""
        for child in (*self._workers, self._server):
            child.end()


def _free_address() -> str:
    """An address that is free now. The server has the same one in each of its lives."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"
