"""Nexus endpoints: names under which workflows of one namespace reach workers of another."""

import json
import re
import uuid

import msgspec
from temporalio.api.common.v1 import message_pb2 as common
from temporalio.api.nexus.v1 import message_pb2 as nexus
from temporalio.api.operatorservice.v1 import request_response_pb2 as operator

from perdure.engine.endpoints import Endpoint
from perdure.model.access import ALL_NAMESPACES, Permission
from perdure.protocols.temporal.calls import Call, Methods
from perdure.protocols.temporal.errors import Code, Refused
from perdure.protocols.temporal.times import timestamp
from perdure.protocols.temporal.tokens import PageToken, decode, encode

operator_methods = Methods()

NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9\-]*[a-zA-Z0-9]")
LONGEST_NAME = 200
DEFAULT_PAGE = 100


def _message(one: Endpoint) -> nexus.Endpoint:
    spec = nexus.EndpointSpec.FromString(one.spec) if one.spec else _spec(one)
    return nexus.Endpoint(
        version=one.version,
        id=one.id,
        spec=spec,
        created_time=timestamp(one.created),
        last_modified_time=timestamp(one.modified) if one.modified else None,
        url_prefix=f"/nexus/endpoints/{one.id}/services",
    )


def _spec(one: Endpoint) -> nexus.EndpointSpec:
    """Of one that no client of Temporal's has set."""
    said = json.dumps(one.description).encode() if one.description else None
    description = common.Payload(metadata={"encoding": b"json/plain"}, data=said) if said else None
    target = nexus.EndpointTarget()
    if one.url:
        target.external.url = one.url
    else:
        target.worker.namespace, target.worker.task_queue = one.namespace, one.task_queue
    return nexus.EndpointSpec(name=one.name, description=description, target=target)


def _checked(spec: nexus.EndpointSpec) -> None:
    """Raises ``Refused``, with all that is wrong."""
    wrong = []
    if not spec.name:
        wrong.append("endpoint name not set")
    elif len(spec.name) > LONGEST_NAME:
        wrong.append(f"endpoint name length exceeds limit of {LONGEST_NAME}")
    elif not NAME.fullmatch(spec.name):
        # The pattern as Temporal's server writes it.
        wrong.append('endpoint name must match the regex: "^[a-zA-Z][a-zA-Z0-9\\\\-]*[a-zA-Z0-9]$"')
    match spec.target.WhichOneof("variant"):
        case "worker":
            if not spec.target.worker.namespace:
                wrong.append("target namespace not set")
            if not spec.target.worker.task_queue:
                wrong.append("taskQueue is not set")
        case "external":
            if not spec.target.external.url:
                wrong.append("empty target URL")
        case _:
            wrong.append("empty target variant")
    if wrong:
        raise Refused.invalid(", ".join(wrong))


async def _see_target(call: Call, spec: nexus.EndpointSpec) -> None:
    if spec.target.WhichOneof("variant") != "worker":
        return
    try:
        await call.parts.know(spec.target.worker.namespace)
    except Refused as error:
        raise Refused(
            Code.FAILED_PRECONDITION,
            f"could not verify namespace referenced by target exists: {error.message}",
        ) from None


def _led(one: Endpoint, spec: nexus.EndpointSpec) -> Endpoint:
    """An endpoint, leading where a client says."""
    worker, url = spec.target.worker, spec.target.external.url
    return msgspec.structs.replace(
        one, spec=spec.SerializeToString(), namespace=worker.namespace, task_queue=worker.task_queue, url=url
    )


def completed(one: Endpoint) -> Endpoint:
    """One that was kept by its ``spec`` alone."""
    return _led(one, nexus.EndpointSpec.FromString(one.spec))


def _not_found(id: str) -> Refused:
    return Refused.not_found(f"Nexus endpoint with ID `{id}` not found")


@operator_methods.add
async def create_nexus_endpoint(
    call: Call, request: operator.CreateNexusEndpointRequest
) -> operator.CreateNexusEndpointResponse:
    """A new endpoint."""
    call.session.require(Permission.ADMINISTER, ALL_NAMESPACES)
    spec = request.spec
    _checked(spec)
    await _see_target(call, spec)
    kept = call.parts.endpoints

    async def create() -> Endpoint:
        if await kept.named(spec.name) is not None:
            raise Refused(
                Code.ALREADY_EXISTS, f"error creating Nexus endpoint. Endpoint with name {spec.name} already registered"
            )
        made = _led(Endpoint(str(uuid.uuid4()), spec.name, created=call.parts.now()), spec)
        await kept.put(made)
        return made

    made = await call.session.perform("create_nexus_endpoint", create, name=spec.name)
    return operator.CreateNexusEndpointResponse(endpoint=_message(made))


@operator_methods.add
async def update_nexus_endpoint(
    call: Call, request: operator.UpdateNexusEndpointRequest
) -> operator.UpdateNexusEndpointResponse:
    """An endpoint that is otherwise from now on."""
    call.session.require(Permission.ADMINISTER, ALL_NAMESPACES)
    spec = request.spec
    _checked(spec)
    await _see_target(call, spec)
    kept = call.parts.endpoints

    async def update() -> Endpoint:
        present = await kept.get(request.id)
        if present is None:
            raise _not_found(request.id)
        if present.version != request.version:
            raise Refused(
                Code.FAILED_PRECONDITION,
                f"nexus endpoint version mismatch. received: {request.version} expected {present.version}",
            )
        named = await kept.named(spec.name)
        if named is not None and named.id != present.id:
            raise Refused(
                Code.ALREADY_EXISTS, f"error updating Nexus endpoint. Endpoint with name {spec.name} already registered"
            )
        changed = msgspec.structs.replace(
            _led(present, spec), name=spec.name, modified=call.parts.now(), version=present.version + 1
        )
        await kept.put(changed)
        return changed

    changed = await call.session.perform("update_nexus_endpoint", update, name=spec.name)
    return operator.UpdateNexusEndpointResponse(endpoint=_message(changed))


@operator_methods.add
async def delete_nexus_endpoint(
    call: Call, request: operator.DeleteNexusEndpointRequest
) -> operator.DeleteNexusEndpointResponse:
    """An endpoint that is there no more; in whatever version it was, as with Temporal's server of today."""
    call.session.require(Permission.ADMINISTER, ALL_NAMESPACES)
    kept = call.parts.endpoints

    async def delete() -> None:
        if await kept.get(request.id) is None:
            raise Refused.not_found(f"error deleting nexus endpoint with ID: {request.id}")
        await kept.remove(request.id)

    await call.session.perform("delete_nexus_endpoint", delete, id=request.id)
    return operator.DeleteNexusEndpointResponse()


@operator_methods.add
async def get_nexus_endpoint(
    call: Call, request: operator.GetNexusEndpointRequest
) -> operator.GetNexusEndpointResponse:
    """One endpoint."""
    found = await call.parts.endpoints.get(request.id)
    if found is None:
        raise _not_found(request.id)
    return operator.GetNexusEndpointResponse(endpoint=_message(found))


@operator_methods.add
async def list_nexus_endpoints(
    call: Call, request: operator.ListNexusEndpointsRequest
) -> operator.ListNexusEndpointsResponse:
    """All of them, or the one of a name."""
    after = decode(request.next_page_token, PageToken).cursor if request.next_page_token else ""
    size = min(request.page_size or DEFAULT_PAGE, DEFAULT_PAGE)
    known = await call.parts.endpoints.all()
    found = [one for one in known if one.id > after and request.name in ("", one.name)]
    page = found[:size]
    return operator.ListNexusEndpointsResponse(
        endpoints=[_message(one) for one in page],
        next_page_token=encode(PageToken(page[-1].id)) if len(found) > size else b"",
    )
