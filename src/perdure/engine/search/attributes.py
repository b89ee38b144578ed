"""The types of search attributes, as the engine that sets them knows them.

The first value of an attribute decides its type, for the whole namespace. It is decided in memory, so that the next
decision already stands on it, and written with the commit that brought the value. Until that is durable every other
commit with the attribute brings the type along; if a batch is undone, the types that came with it are, too.

One that is removed stays known as such. The values in histories remain, and neither they nor a new value give it a type
again: only registering does, and then whoever has a value of that type is found by it.
"""

import asyncio
from collections.abc import Mapping, Sequence

from perdure.engine.ports import Store, Write
from perdure.kernel import search_attribute
from perdure.kernel.run import Run
from perdure.model.errors import AlreadyExistsError, InvalidArgumentError, StoreError
from perdure.model.limits import Limits
from perdure.model.payloads import NULL, Payload, PayloadMap
from perdure.model.search import OWN_ATTRIBUTES, SCHEDULED_ATTRIBUTES, SYSTEM_ATTRIBUTES, AttributeType, AttributeTypes
from perdure.model.standalone import QUEUE_ATTRIBUTE
from perdure.model.standalone_operation import ENDPOINT_ATTRIBUTE

_ENGINES = {*SYSTEM_ATTRIBUTES, *OWN_ATTRIBUTES, *SCHEDULED_ATTRIBUTES, QUEUE_ATTRIBUTE, ENDPOINT_ATTRIBUTE}
"""What the engine itself sets, of some runs or of all."""


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

    def problem_of_held(self, namespace: str, attributes: PayloadMap, limits: Limits) -> str:
        """The same of a run that has them already: of those that were removed it may have any value."""
        known = self.known.get(namespace, {})
        return self.problem(
            namespace,
            {name: value for name, value in attributes.items() if known.get(name) is not AttributeType.REMOVED},
            limits,
        )

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
            if (known.get(name) or type) != type:
                raise AlreadyExistsError(
                    f"Search attribute {name!r} is {known[name]} in namespace {namespace!r} already, since it was "
                    "registered or first set. Choose another name, or that type."
                )
        for name in [name for name in types if known.get(name) is AttributeType.REMOVED]:
            await self._set(store, namespace, name, types[name])
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

    async def remove(self, store: Store, namespace: str, names: Sequence[str]) -> None:
        """Know and index them no more. Raises as ``Service.remove_search_attributes``, and ``StoreError``."""
        for name in names:
            if name in _ENGINES:
                raise InvalidArgumentError(f"Search attribute {name!r} is the engine's own, and can't be removed.")
        for name in names:
            if self.known.get(namespace, {}).get(name):
                await self._set(store, namespace, name, AttributeType.REMOVED)

    async def _set(self, store: Store, namespace: str, name: str, type: AttributeType) -> None:
        """Another type than the present one, for what is decided from now on, and then in the store."""
        known = self.known.setdefault(namespace, {})
        before = known[name]
        known[name] = type
        self._fresh.pop((namespace, name), None)
        # What was decided before goes to the store before.
        await asyncio.sleep(0)
        try:
            await store.set_attribute_type(namespace, name, type)
        except BaseException:
            known[name] = before
            raise

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
