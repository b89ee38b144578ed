"""Namespaces and their search attributes."""

from typing import Annotated, Literal

import msgspec

from perdure.model.errors import NotFoundError
from perdure.model.search import CUSTOM_TYPES
from perdure.model.service import Namespace
from perdure.protocols.rest.asking import Asked, Limit, Name
from perdure.protocols.rest.operations import Call, Nothing, Operations
from perdure.protocols.rest.values import to_ns, to_seconds

operations = Operations("namespaces")

SYSTEM = "perdure.system"

TypeWord = Literal["keyword", "text", "int", "float", "bool", "datetime", "keyword_list"]


class NamespaceBody(Asked):
    """Settings of a namespace. Closed runs are deleted after ``retention_seconds``; null keeps them for ever."""

    retention_seconds: Limit | None = None
    description: Annotated[str, msgspec.Meta(max_length=10_000)] = ""


class NamespaceView(msgspec.Struct, frozen=True):
    """A space of workflow ids."""

    name: str
    retention_seconds: float | None
    description: str


class NamespacesView(msgspec.Struct, frozen=True):
    """All that there are, by name."""

    namespaces: list[NamespaceView]


class AttributesView(msgspec.Struct, frozen=True):
    """The custom search attributes of a namespace, with their types."""

    search_attributes: dict[str, TypeWord]


class AttributesBody(Asked):
    """Types of search attributes by name."""

    search_attributes: dict[Name, TypeWord]


@operations.add("GET", "/namespaces", answer=NamespacesView)
async def list_namespaces(call: Call[None, Nothing]) -> NamespacesView:
    """All namespaces, but for the engine's own."""
    return NamespacesView([_view(one) for one in await call.service.namespaces() if one.name != SYSTEM])


@operations.add("GET", "/namespaces/{namespace}", answer=NamespaceView)
async def get_namespace(call: Call[None, Nothing]) -> NamespaceView:
    """One namespace."""
    for one in await call.service.namespaces():
        if one.name == call.namespace:
            return _view(one)
    raise NotFoundError(f"Nobody has set up a namespace {call.namespace!r:.1000}; it can be used all the same.")


@operations.add("PUT", "/namespaces/{namespace}", body=NamespaceBody, answer=NamespaceView)
async def set_namespace(call: Call[NamespaceBody, Nothing]) -> NamespaceView:
    """Create a namespace, or change one."""
    body = call.body
    namespace = Namespace(call.namespace, to_ns(body.retention_seconds), body.description)
    await call.service.set_namespace(namespace)
    return _view(namespace)


@operations.add("GET", "/namespaces/{namespace}/search-attributes", answer=AttributesView)
async def list_search_attributes(call: Call[None, Nothing]) -> AttributesView:
    """The custom search attributes of a namespace."""
    types = await call.service.search_attributes(call.namespace)
    return AttributesView({name: str(type) for name, type in types.items()})  # type: ignore[misc]


@operations.add("POST", "/namespaces/{namespace}/search-attributes", body=AttributesBody)
async def add_search_attributes(call: Call[AttributesBody, Nothing]) -> None:
    """Fix the types of search attributes before their first use; others have that of their first value.

    The same again changes nothing. A string's first value makes a keyword, never a time or a text: fix those here.
    """
    types = {name: CUSTOM_TYPES[word] for name, word in call.body.search_attributes.items()}
    await call.service.add_search_attributes(call.namespace, types)


def _view(namespace: Namespace) -> NamespaceView:
    retention = to_seconds(namespace.retention_ns) if namespace.retention_ns else None
    return NamespaceView(namespace.name, retention, namespace.description)
