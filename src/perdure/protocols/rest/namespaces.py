"""Namespaces and their search attributes."""

from typing import Annotated, Literal

import msgspec

from perdure.model.namespaces import Namespace, Quota
from perdure.model.search import CUSTOM_TYPES, AttributeTypes
from perdure.model.system import SYSTEM_NAMESPACE
from perdure.protocols.rest.asking import Asked, Limit, Name
from perdure.protocols.rest.operations import Call, Nothing, Operations
from perdure.protocols.rest.paging import PageQuery, page_of
from perdure.protocols.rest.values import to_ns, to_seconds

operations = Operations("namespaces")

TypeWord = Literal["keyword", "text", "int", "float", "bool", "datetime", "keyword_list"]


Count = Annotated[int, msgspec.Meta(ge=0, le=1 << 53, description="0 for no limit.")]
Rate = Annotated[float, msgspec.Meta(ge=0, le=1e9, description="0 for no limit.")]


class QuotaBody(Asked):
    """How much a namespace may have of a server that it shares with others. ``share`` is its part of the workers' slots
    where several wait for them: one with 2 gets twice as many as one with 1."""

    open_runs: Count = 0
    starts_per_second: Rate = 0
    requests_per_second: Rate = 0
    payload_bytes: Count = 0
    share: Annotated[float, msgspec.Meta(gt=0, le=1e6)] = 1


class NamespaceBody(Asked):
    """Settings of a namespace. Closed runs are deleted after ``retention_seconds``; null keeps them for ever."""

    retention_seconds: Limit | None = None
    description: Annotated[str, msgspec.Meta(max_length=10_000)] = ""
    quota: QuotaBody = msgspec.field(default_factory=QuotaBody)


class DeleteQuery(Asked):
    """Of a deletion."""

    force: Annotated[bool, msgspec.Meta(description="Also if it has open runs; they are terminated.")] = False


class QuotaView(msgspec.Struct, frozen=True):
    """How much it may have; 0 is no limit."""

    open_runs: int
    starts_per_second: float
    requests_per_second: float
    payload_bytes: int
    share: float


class NamespaceView(msgspec.Struct, frozen=True):
    """A space of workflow ids. ``is_deleted``: it takes nothing new, and goes when its runs are gone."""

    name: str
    retention_seconds: float | None
    description: str
    quota: QuotaView
    is_deleted: bool


class NamespaceDescriptionView(msgspec.Struct, frozen=True):
    """A namespace, how many runs it has, and the types of its search attributes."""

    namespace: NamespaceView
    open_runs: int
    closed_runs: int
    search_attributes: dict[str, TypeWord]


class NamespacesView(msgspec.Struct, frozen=True):
    """A page of all that there are, by name; ``next_cursor`` is empty on the last one."""

    namespaces: list[NamespaceView]
    next_cursor: str = ""


class AttributesView(msgspec.Struct, frozen=True):
    """The custom search attributes of a namespace, with their types."""

    search_attributes: dict[str, TypeWord]


class AttributesBody(Asked):
    """Types of search attributes by name."""

    search_attributes: dict[Name, TypeWord]


@operations.add("GET", "/namespaces", query=PageQuery, answer=NamespacesView)
async def list_namespaces(call: Call[None, PageQuery]) -> NamespacesView:
    """All namespaces, but for the engine's own."""
    found = [one for one in await call.service.namespaces() if one.name != SYSTEM_NAMESPACE]
    page, next_cursor = page_of(found, lambda one: (one.name,), call.query)
    return NamespacesView([_view(one) for one in page], next_cursor)


@operations.add("GET", "/namespaces/{namespace}", answer=NamespaceDescriptionView)
async def describe_namespace(call: Call[None, Nothing]) -> NamespaceDescriptionView:
    """A namespace, its quota, and how many runs it has."""
    found = await call.service.describe_namespace(call.namespace)
    return NamespaceDescriptionView(
        _view(found.namespace), found.open_runs, found.closed_runs, _words(found.search_attributes)
    )


@operations.add("PUT", "/namespaces/{namespace}", body=NamespaceBody, answer=NamespaceView)
async def set_namespace(call: Call[NamespaceBody, Nothing]) -> NamespaceView:
    """Create a namespace, or change one: everything that is left out has its default again."""
    body, quota = call.body, Quota(**msgspec.structs.asdict(call.body.quota))
    namespace = Namespace(call.namespace, to_ns(body.retention_seconds), body.description, quota)
    await call.service.set_namespace(namespace)
    return _view(namespace)


@operations.add("DELETE", "/namespaces/{namespace}", query=DeleteQuery)
async def delete_namespace(call: Call[None, DeleteQuery]) -> None:
    """Remove a namespace with all that is in it. At once it takes nothing new; its runs go one after the other."""
    await call.service.delete_namespace(call.namespace, force=call.query.force)


@operations.add("GET", "/namespaces/{namespace}/search-attributes", answer=AttributesView)
async def list_search_attributes(call: Call[None, Nothing]) -> AttributesView:
    """The custom search attributes of a namespace."""
    types = await call.service.search_attributes(call.namespace)
    return AttributesView(_words(types))


@operations.add("POST", "/namespaces/{namespace}/search-attributes", body=AttributesBody)
async def add_search_attributes(call: Call[AttributesBody, Nothing]) -> None:
    """Fix the types of search attributes before their first use; others have that of their first value.

    The same again changes nothing. A string's first value makes a keyword, never a time or a text: fix those here.
    """
    types = {name: CUSTOM_TYPES[word] for name, word in call.body.search_attributes.items()}
    await call.service.add_search_attributes(call.namespace, types)


@operations.add("DELETE", "/namespaces/{namespace}/search-attributes/{search_attribute}")
async def remove_search_attribute(call: Call[None, Nothing]) -> None:
    """Let nobody set or filter by it any more, until it is added again, with the same type or another.

    What runs have stays in their histories. One that is not there is no error.
    """
    await call.service.remove_search_attributes(call.namespace, [call.path["search_attribute"]])


def _words(types: AttributeTypes) -> dict[str, TypeWord]:
    return {name: str(type) for name, type in types.items()}  # type: ignore[misc]


def _view(namespace: Namespace) -> NamespaceView:
    retention = to_seconds(namespace.retention_ns) if namespace.retention_ns else None
    quota = QuotaView(**msgspec.structs.asdict(namespace.quota))
    return NamespaceView(namespace.name, retention, namespace.description, quota, namespace.is_deleted)
