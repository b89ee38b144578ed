"""Endpoints: names under which workflows ask for operations, and where each leads."""

import time
import uuid
from datetime import datetime
from typing import Annotated

import msgspec

from perdure.engine.endpoints import Endpoint
from perdure.model.access import ALL_NAMESPACES, Permission
from perdure.model.errors import InvalidArgumentError, NotFoundError
from perdure.protocols.rest.asking import Asked
from perdure.protocols.rest.operations import Call, Nothing, Operations
from perdure.protocols.rest.paging import PageQuery, page_of
from perdure.protocols.rest.values import to_time

operations = Operations("endpoints")

PATH = "/endpoints"
NAME = "^[a-zA-Z][a-zA-Z0-9-]*[a-zA-Z0-9]$"
"""Temporal's rule: its clients see the same endpoints."""

EndpointName = Annotated[str, msgspec.Meta(pattern=NAME, max_length=200)]
Text = Annotated[str, msgspec.Meta(max_length=1_000)]


class EndpointBody(Asked):
    """Where an endpoint leads: to a ``url`` that speaks Nexus, or to a ``task_queue`` of a ``namespace``."""

    namespace: Text = ""
    task_queue: Text = ""
    url: Annotated[str, msgspec.Meta(max_length=4_000)] = ""
    description: Annotated[str, msgspec.Meta(max_length=20_000)] = ""


class EndpointView(msgspec.Struct, frozen=True):
    """An endpoint; ``version`` counts its changes."""

    name: str
    namespace: str
    task_queue: str
    url: str
    description: str
    version: int
    created: datetime | None
    modified: datetime | None


class EndpointsView(msgspec.Struct, frozen=True):
    """A page of all that there are, by name; ``next_cursor`` is empty on the last one."""

    endpoints: list[EndpointView]
    next_cursor: str = ""


@operations.add("GET", PATH, query=PageQuery, answer=EndpointsView)
async def list_endpoints(call: Call[None, PageQuery]) -> EndpointsView:
    """All endpoints. They are of the whole server: a workflow of any namespace may ask there."""
    found = sorted((await call.parts.endpoints.by_name()).items())
    page, next_cursor = page_of(found, lambda one: (one[0],), call.query)
    return EndpointsView([_view(one) for _, one in page], next_cursor)


@operations.add("GET", f"{PATH}/{{endpoint}}", answer=EndpointView)
async def get_endpoint(call: Call[None, Nothing]) -> EndpointView:
    """One endpoint."""
    return _view(await _endpoint(call))


@operations.add("PUT", f"{PATH}/{{endpoint}}", body=EndpointBody, answer=EndpointView)
async def set_endpoint(call: Call[EndpointBody, Nothing]) -> EndpointView:
    """Set up an endpoint, or change where one leads. Only admins of the whole server may."""
    call.session.require(Permission.ADMINISTER, ALL_NAMESPACES)
    body, endpoints = call.body, call.parts.endpoints
    try:
        name = msgspec.convert(call.path["endpoint"], EndpointName)
    except msgspec.ValidationError:
        raise InvalidArgumentError(
            f"{call.path['endpoint']!r:.300} is no name for an endpoint: it has letters, digits and hyphens, such as 'the-bank'"
        ) from None
    if bool(body.url) == bool(body.namespace and body.task_queue) or (body.url and (body.namespace or body.task_queue)):
        raise InvalidArgumentError("An endpoint leads either to a url, or to a namespace and a task_queue.")
    if body.url:
        call.parts.outbound.check(body.url)
    else:
        await call.parts.service.describe_namespace(body.namespace)

    async def put() -> Endpoint:
        now, known = time.time_ns(), await endpoints.named(name)
        one = known or Endpoint(str(uuid.uuid4()), name, created=now)
        led = msgspec.structs.replace(
            one,
            spec=b"",
            namespace=body.namespace,
            task_queue=body.task_queue,
            url=body.url,
            description=body.description,
            version=one.version + 1 if known else one.version,
            modified=now if known else 0,
        )
        await endpoints.put(led)
        return led

    return _view(await call.session.perform(call.operation.name, put, name=name))


@operations.add("DELETE", f"{PATH}/{{endpoint}}")
async def delete_endpoint(call: Call[None, Nothing]) -> None:
    """Remove an endpoint. Operations that were asked for there already stay with the task queue that they were asked for at."""
    call.session.require(Permission.ADMINISTER, ALL_NAMESPACES)

    async def remove() -> None:
        await call.parts.endpoints.remove((await _endpoint(call)).id)

    await call.session.perform(call.operation.name, remove, name=call.path["endpoint"])


async def _endpoint(call: Call[None, Nothing]) -> Endpoint:
    name = call.path["endpoint"]
    found = await call.parts.endpoints.named(name)
    if found is None:
        raise NotFoundError(f"There is no endpoint {name!r:.300}.")
    return found


def _view(one: Endpoint) -> EndpointView:
    return EndpointView(
        one.name,
        one.namespace,
        one.task_queue,
        one.url,
        one.description,
        one.version,
        to_time(one.created),
        to_time(one.modified),
    )
