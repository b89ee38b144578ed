"""What the server is and can do, and its namespaces."""

import uuid
from collections.abc import Mapping
from typing import Any

from temporalio.api.enums.v1 import namespace_pb2
from temporalio.api.errordetails.v1 import message_pb2 as details
from temporalio.api.namespace.v1 import message_pb2 as namespace_pb
from temporalio.api.operatorservice.v1 import request_response_pb2 as operator
from temporalio.api.replication.v1 import message_pb2 as replication
from temporalio.api.version.v1 import message_pb2 as version_pb
from temporalio.api.workflowservice.v1 import request_response_pb2 as pb

from perdure.model.access import Permission
from perdure.model.errors import NotFoundError
from perdure.model.namespaces import Namespace
from perdure.model.options import DEFAULT_NAMESPACE
from perdure.model.search import SYSTEM_ATTRIBUTES, AttributeType, AttributeTypes
from perdure.protocols.temporal.calls import Call, Methods
from perdure.protocols.temporal.errors import Code, Refused
from perdure.protocols.temporal.filters import NAMES, SHOWN
from perdure.protocols.temporal.times import duration, ns_of

methods = Methods()
operator_methods = Methods()

TEMPORAL_VERSION = "1.30.0"
"""Which of Temporal's servers this one behaves like; SDKs compare it with what they need."""

CLUSTER = "perdure"
SUPPORTED_CLIENTS: Mapping[str, str] = {
    "temporal-cli": "<2.0.0",
    "temporal-ui": "<3.0.0",
    "temporal-go": "<2.0.0",
    "temporal-java": "<2.0.0",
    "temporal-php": "<2.0.0",
    "temporal-server": "<2.0.0",
    "temporal-typescript": "<2.0.0",
}
"""Which versions of its clients may connect, as Temporal's server says it."""

CLUSTER_ID = str(uuid.uuid5(uuid.NAMESPACE_DNS, CLUSTER))
DAY_NS = 86_400_000_000_000
FOREVER_NS = 36_500 * DAY_NS

RENAMED: AttributeTypes = {
    "BuildIds": AttributeType.KEYWORD_LIST,
    "ExecutionTime": AttributeType.DATETIME,
    "TemporalScheduledById": AttributeType.KEYWORD,
    "TemporalScheduledStartTime": AttributeType.DATETIME,
}
"""Attributes of every run that clients know by other names than the engine."""

ATTRIBUTE_TYPES: Mapping[AttributeType, Any] = {
    **{kind: int(kind) for kind in AttributeType if kind < AttributeType.DURATION},
    AttributeType.DURATION: int(AttributeType.INT),
    AttributeType.STATUS: int(AttributeType.KEYWORD),
}
"""``IndexedValueType`` of each type."""


@methods.add
async def get_system_info(call: Call, request: pb.GetSystemInfoRequest) -> pb.GetSystemInfoResponse:
    """What SDKs ask first."""
    return pb.GetSystemInfoResponse(
        server_version=TEMPORAL_VERSION,
        capabilities=pb.GetSystemInfoResponse.Capabilities(
            signal_and_query_header=True,
            internal_error_differentiation=True,
            activity_failure_include_heartbeat=True,
            supports_schedules="CreateSchedule" in _served(),
            encoded_failure_attributes=True,
            build_id_based_versioning=False,
            upsert_memo=True,
            eager_workflow_start=True,
            sdk_metadata=True,
            count_group_by_execution_status=True,
            nexus=True,
        ),
    )


def _served() -> Mapping[str, Any]:
    from perdure.protocols.temporal.services import WORKFLOW_METHODS

    return WORKFLOW_METHODS


@methods.add
async def get_cluster_info(call: Call, request: pb.GetClusterInfoRequest) -> pb.GetClusterInfoResponse:
    """Which cluster this is; one of one."""
    return pb.GetClusterInfoResponse(
        supported_clients=SUPPORTED_CLIENTS,
        server_version=TEMPORAL_VERSION,
        cluster_id=CLUSTER_ID,
        cluster_name=CLUSTER,
        history_shard_count=1,
        persistence_store="perdure",
        visibility_store="perdure",
        initial_failover_version=1,
        failover_version_increment=10,
        version_info=version_pb.VersionInfo(current=version_pb.ReleaseInfo(version=TEMPORAL_VERSION)),
    )


# --- namespaces


def namespace_id(name: str) -> str:
    """The same each time, in the form that Temporal's have."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"perdure:{name}"))


def _facts(namespace: Namespace) -> dict[str, Any]:
    state = (
        namespace_pb2.NamespaceState.NAMESPACE_STATE_DELETED
        if namespace.is_deleted
        else namespace_pb2.NamespaceState.NAMESPACE_STATE_REGISTERED
    )
    return {
        "namespace_info": namespace_pb.NamespaceInfo(
            name=namespace.name,
            state=state,
            description=namespace.description,
            id=namespace_id(namespace.name),
            capabilities=namespace_pb.NamespaceInfo.Capabilities(
                eager_workflow_start=True,
                sync_update=True,
                async_update=True,
                standalone_activities=True,
                standalone_activity_start_delay=True,
                standalone_activity_operator_commands=True,
            ),
            supports_schedules="CreateSchedule" in _served(),
        ),
        "config": namespace_pb.NamespaceConfig(
            workflow_execution_retention_ttl=duration(namespace.retention_ns or FOREVER_NS),
            history_archival_state=namespace_pb2.ArchivalState.ARCHIVAL_STATE_DISABLED,
            visibility_archival_state=namespace_pb2.ArchivalState.ARCHIVAL_STATE_DISABLED,
        ),
        "replication_config": replication.NamespaceReplicationConfig(
            active_cluster_name=CLUSTER,
            clusters=[replication.ClusterReplicationConfig(cluster_name=CLUSTER)],
            state=namespace_pb2.ReplicationState.REPLICATION_STATE_NORMAL,
        ),
    }


async def _find(call: Call, name: str, id: str) -> Namespace:
    if not name and id:
        names = [DEFAULT_NAMESPACE, *(one.name for one in await call.service.namespaces())]
        name = next((one for one in names if namespace_id(one) == id), "")
    try:
        return (await call.service.describe_namespace(name)).namespace
    except NotFoundError:
        if name == DEFAULT_NAMESPACE:
            return Namespace(name)
        raise Refused(
            Code.NOT_FOUND,
            f"Namespace {name or id} is not found.",
            details.NamespaceNotFoundFailure(namespace=name or id),
        ) from None


@methods.add
async def describe_namespace(call: Call, request: pb.DescribeNamespaceRequest) -> pb.DescribeNamespaceResponse:
    """One namespace."""
    if not request.namespace and not request.id:
        raise Refused.invalid("Namespace not set on request.")
    return pb.DescribeNamespaceResponse(**_facts(await _find(call, request.namespace, request.id)))


@methods.add
async def list_namespaces(call: Call, request: pb.ListNamespacesRequest) -> pb.ListNamespacesResponse:
    """All of them, on one page."""
    found = {namespace.name: namespace for namespace in await call.service.namespaces()}
    found.setdefault(DEFAULT_NAMESPACE, Namespace(DEFAULT_NAMESPACE))
    return pb.ListNamespacesResponse(
        namespaces=[
            pb.DescribeNamespaceResponse(**_facts(namespace))
            for namespace in found.values()
            if not namespace.is_deleted and not namespace.name.startswith("perdure.")
        ]
    )


@methods.add
async def register_namespace(call: Call, request: pb.RegisterNamespaceRequest) -> pb.RegisterNamespaceResponse:
    """A new namespace."""
    name = request.namespace
    if not name:
        raise Refused.invalid("Namespace not set on request.")
    known = {namespace.name for namespace in await call.service.namespaces()} | {DEFAULT_NAMESPACE}
    if name in known:
        raise Refused(Code.ALREADY_EXISTS, "Namespace already exists.", details.NamespaceAlreadyExistsFailure())
    retention = ns_of(request.workflow_execution_retention_period)
    await call.service.set_namespace(Namespace(name, retention, request.description))
    call.parts.namespaces.add(name)
    return pb.RegisterNamespaceResponse()


@methods.add
async def update_namespace(call: Call, request: pb.UpdateNamespaceRequest) -> pb.UpdateNamespaceResponse:
    """A namespace's description and retention."""
    present = await _find(call, request.namespace, "")
    description = request.update_info.description or present.description
    retention = present.retention_ns
    if request.config.HasField("workflow_execution_retention_ttl"):
        retention = ns_of(request.config.workflow_execution_retention_ttl)
    changed = Namespace(present.name, retention, description, present.quota, present.is_deleted)
    await call.service.set_namespace(changed)
    return pb.UpdateNamespaceResponse(**_facts(changed))


@operator_methods.add
async def delete_namespace(call: Call, request: operator.DeleteNamespaceRequest) -> operator.DeleteNamespaceResponse:
    """A namespace with all that is in it."""
    namespace = await _find(call, request.namespace, request.namespace_id)
    await call.service.delete_namespace(namespace.name, force=True)
    call.parts.namespaces.discard(namespace.name)
    return operator.DeleteNamespaceResponse(deleted_namespace=namespace.name)


# --- search attributes


def _custom(types: AttributeTypes) -> dict[str, Any]:
    return {name: ATTRIBUTE_TYPES[kind] for name, kind in types.items() if name not in SHOWN}


def _system() -> dict[str, Any]:
    own = {name: attribute.type for name, attribute in SYSTEM_ATTRIBUTES.items() if name not in NAMES.values()}
    return _custom({**own, "StartTime": AttributeType.DATETIME, **RENAMED})


@methods.add
async def get_search_attributes(call: Call, request: pb.GetSearchAttributesRequest) -> pb.GetSearchAttributesResponse:
    """Of the default namespace; the newer call names one."""
    types = await call.service.search_attributes(DEFAULT_NAMESPACE)
    return pb.GetSearchAttributesResponse(keys={**_system(), **_custom(types)})


@operator_methods.add
async def list_search_attributes(
    call: Call, request: operator.ListSearchAttributesRequest
) -> operator.ListSearchAttributesResponse:
    """Those of a namespace, and those that every run has."""
    types = await call.service.search_attributes(request.namespace or DEFAULT_NAMESPACE)
    return operator.ListSearchAttributesResponse(custom_attributes=_custom(types), system_attributes=_system())


_KINDS = frozenset(map(int, AttributeType))


@operator_methods.add
async def add_search_attributes(
    call: Call, request: operator.AddSearchAttributesRequest
) -> operator.AddSearchAttributesResponse:
    """New ones, with their types."""
    if not request.search_attributes:
        raise Refused.invalid("SearchAttributes are not set on request.")
    namespace = await call.namespace(request.namespace or DEFAULT_NAMESPACE, Permission.ADMINISTER)
    types = {}
    for name, number in request.search_attributes.items():
        if not 0 < int(number) < AttributeType.DURATION or int(number) not in _KINDS:
            raise Refused.invalid(f"Unable to parse search attribute type: {number} of {name}.")
        types[name] = AttributeType(number)
    await call.service.add_search_attributes(namespace, types)
    return operator.AddSearchAttributesResponse()


@operator_methods.add
async def remove_search_attributes(
    call: Call, request: operator.RemoveSearchAttributesRequest
) -> operator.RemoveSearchAttributesResponse:
    """Nobody may set or ask for them any more. Nothing is left to be done for names that are not there."""
    if not request.namespace:
        raise Refused.invalid("Namespace is not set on request.")
    namespace = await call.namespace(request.namespace, Permission.ADMINISTER)
    names = list(request.search_attributes)
    if not names:
        raise Refused.invalid("SearchAttributes are not set on request.")
    system = _system()
    for name in names:
        if name in system:
            raise Refused.invalid(f"Unable to remove non-custom search attributes: {name}.")
    await call.service.remove_search_attributes(namespace, names)
    return operator.RemoveSearchAttributesResponse()
