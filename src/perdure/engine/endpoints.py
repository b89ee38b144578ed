"""Endpoints: names under which operations are asked for, and where each leads: to a task queue, or to a URL."""

from collections.abc import Callable

import msgspec

from perdure.engine.documents import Documents, Kept
from perdure.model.system import SYSTEM_NAMESPACE

EVERYBODYS = ""
"""Endpoints are of the whole server, so they are kept under no namespace."""

URL_QUEUES = "perdure.nexus:"
"""What the task queues are called, in the engine's own namespace, where operations wait that are asked for by HTTP; an
endpoint's id follows."""


class Endpoint(msgspec.Struct, frozen=True):
    """One endpoint: it leads to a ``url``, or else to a ``task_queue`` of a ``namespace``. ``spec`` is as a client of
    Temporal's has sent it, if one has; ``version`` counts its changes. Times are ns since 1970."""

    id: str
    name: str
    spec: bytes = b""
    created: int = 0
    modified: int = 0
    version: int = 1
    namespace: str = ""
    task_queue: str = ""
    url: str = ""
    description: str = ""

    @property
    def queue(self) -> tuple[str, str]:
        """The namespace and the task queue where its operations wait."""
        if self.url:
            return SYSTEM_NAMESPACE, f"{URL_QUEUES}{self.id}"
        return self.namespace, self.task_queue


class Endpoints:
    """All of a server's. They are few, and in memory once they have been read."""

    def __init__(self, documents: Documents) -> None:
        self._kept = Kept(documents, "nexus-endpoint", Endpoint)
        self._known: dict[str, Endpoint] | None = None
        self.names: set[str] = set()
        """All that there have been since the first was looked for."""
        self.removed: Callable[[str, str], None] | None = None
        """Told of the namespace and the task queue that one led to which is there no more."""

    async def all(self) -> list[Endpoint]:
        """In the order of their ids."""
        return list((await self._kept.all(EVERYBODYS)).values())

    async def get(self, id: str) -> Endpoint | None:
        """The one with an id."""
        return await self._kept.get(EVERYBODYS, id)

    async def named(self, name: str) -> Endpoint | None:
        """The one with a name."""
        return (await self.by_name()).get(name)

    async def led_by(self, id: str, name: str) -> Endpoint | None:
        """The one with an id or, as one that was removed may have been made anew, with a name."""
        return self.seen(id) or await self.named(name) or self.seen(id)

    def seen(self, id: str) -> Endpoint | None:
        """The one with an id, if they have been read since one was changed."""
        return next((one for one in (self._known or {}).values() if one.id == id), None)

    async def by_name(self) -> dict[str, Endpoint]:
        """All of them."""
        if self._known is None:
            self._known = {one.name: one for one in await self.all()}
            self.names.update(self._known)
        return self._known

    async def put(self, endpoint: Endpoint) -> None:
        """Keep one, under its id."""
        await self._kept.put(EVERYBODYS, endpoint.id, endpoint)
        self._known = None
        self.names.add(endpoint.name)

    async def remove(self, id: str) -> None:
        """Keep it no more."""
        endpoint = await self.get(id)
        await self._kept.put(EVERYBODYS, id, None)
        self._known = None
        if endpoint is not None and self.removed is not None:
            self.removed(*endpoint.queue)

    async def complete(self, read: Callable[[Endpoint], Endpoint]) -> None:
        """Fill in where those lead that an earlier version has kept with their ``spec`` alone."""
        for one in await self.all():
            if not (one.url or one.task_queue) and one.spec:
                await self.put(read(one))
