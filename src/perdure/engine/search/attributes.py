"""The types of search attributes, as the engine that sets them knows them.

The first value of an attribute decides its type, for the whole namespace. It is decided in memory, so that the next
decision already stands on it, and written with the commit that brought the value. Until that is durable every other
commit with the attribute brings the type along; if a batch is undone, the types that came with it are, too.
"""

import asyncio
from collections.abc import Mapping

from perdure.engine.ports import Store, Write
from perdure.kernel import search_attribute
from perdure.kernel.run import Run
from perdure.model.errors import AlreadyExistsError, InvalidArgumentError, StoreError
from perdure.model.limits import Limits
from perdure.model.payloads import NULL, Payload, PayloadMap
from perdure.model.search import AttributeType, AttributeTypes


class Attributes:
    """``known`` are the types by namespace and name."""

    def __init__(self) -> None:
        self.known: dict[str, dict[str, AttributeType]] = {}
        self._fresh: dict[tuple[str, str], AttributeType] = {}
        """Those of which it is not known yet that they are stored."""
        self._gathering: set[tuple[str, str]] = set()
        self._writing: set[tuple[str, str]] = set()

    def load(self, stored: Mapping[str, AttributeTypes]) -> None:
        """Take over what a store has."""
        self.known = {namespace: dict(types) for namespace, types in stored.items()}

    def problem(self, namespace: str, attributes: PayloadMap, limits: Limits) -> str:
        """Why a run can't start with these; empty if it can."""
        return search_attribute.problem(attributes, self.known.get(namespace, {}), limits, len(attributes))

    def put(self, write: Write, run: Run) -> None:
        """Say in a write what its run is found by."""
        namespace, attributes = run.namespace, run.search_attributes
        types = self.known.setdefault(namespace, {})
        self.add(namespace, search_attribute.new_types(attributes, types))
        write.entries = search_attribute.entries(attributes, types)
        if self._fresh:
            places = [(namespace, name) for name in attributes if (namespace, name) in self._fresh]
            write.attribute_types = [(*place, self._fresh[place]) for place in places]
            self._gathering.update(places)

    def add(self, namespace: str, types: AttributeTypes) -> None:
        """Know new ones, which are about to be written."""
        known = self.known.setdefault(namespace, {})
        for name, type in types.items():
            known[name] = self._fresh[namespace, name] = type

    async def register(self, store: Store, namespace: str, types: AttributeTypes, limits: Limits) -> None:
        """Fix types before their first use. Raises as ``Service.add_search_attributes``, and ``StoreError``."""
        known = self.known.get(namespace, {})
        for name, type in types.items():
            refused = search_attribute.problem({name: Payload(b"", NULL)}, known, limits, 0)
            if refused:
                raise InvalidArgumentError(refused)
            if type >= AttributeType.DURATION:
                raise InvalidArgumentError(f"{type} is for the engine's own attributes. Choose another type.")
            if known.get(name, type) != type:
                raise AlreadyExistsError(
                    f"Search attribute {name!r} is {known[name]} in namespace {namespace!r} already, since it was "
                    "registered or first set. Choose another name, or that type."
                )
        self.add(namespace, {name: type for name, type in types.items() if name not in known})
        rows = [(namespace, name, type) for name, type in types.items()]
        written: asyncio.Future[StoreError | None] = asyncio.get_running_loop().create_future()
        # What could not be written stays known: the next commit that has the attribute brings it.
        store.write(
            [Write(0, 0, attribute_types=rows)], lambda error: None if written.done() else written.set_result(error)
        )
        error = await written
        if error is not None:
            raise error
        known = self.known.setdefault(namespace, {})
        for name, type in types.items():
            known.setdefault(name, type)
            self._fresh.pop((namespace, name), None)

    def forget(self, namespace: str) -> None:
        """A namespace goes: whatever comes in it from now on is new, and brings its type."""
        self.known.pop(namespace, None)
        for place in [place for place in self._fresh if place[0] == namespace]:
            del self._fresh[place]

    def flushed(self) -> None:
        """The batch that has been gathered is being written."""
        if self._gathering:
            self._writing, self._gathering = self._gathering, set()

    def written(self) -> None:
        """That batch is durable."""
        for place in self._writing:
            self._fresh.pop(place, None)
        self._writing = set()

    def undone(self) -> None:
        """Nothing that is not durable will be."""
        for namespace, name in self._fresh:
            self.known.get(namespace, {}).pop(name, None)
        self._fresh.clear()
        self._gathering.clear()
        self._writing = set()
