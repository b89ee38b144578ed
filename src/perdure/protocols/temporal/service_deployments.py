"""Deployments of workers: their versions, and where turns go."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from temporalio.api.deployment.v1 import message_pb2 as pb_deployment
from temporalio.api.enums.v1 import deployment_pb2, task_queue_pb2
from temporalio.api.workflowservice.v1 import request_response_pb2 as pb

from perdure.engine.deployments import Conflict
from perdure.model.access import Permission
from perdure.model.deployments import Deployment, Version, version_of
from perdure.protocols.temporal.calls import Call, Methods
from perdure.protocols.temporal.errors import Code, Refused
from perdure.protocols.temporal.payloads import payload, to_map
from perdure.protocols.temporal.times import timestamp
from perdure.protocols.temporal.tokens import PageToken, decode, encode
from perdure.protocols.temporal.versions import named, text, version

methods = Methods()

Status = deployment_pb2.WorkerDeploymentVersionStatus
Drainage = deployment_pb2.VersionDrainageStatus
TURNS = task_queue_pb2.TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW
ACTIVITIES = task_queue_pb2.TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY
DEFAULT_PAGE = 100

T = TypeVar("T")


async def _perform(call: Call, act: str, request: Any, work: Callable[[], Awaitable[T]]) -> T:
    """An administrative act, with Temporal's status if it can't be done now."""
    name = getattr(request, "deployment_name", "") or named(request)[0]
    try:
        done: T = await call.session.perform(act, work, namespace=request.namespace, deployment=name)
    except Conflict as error:
        raise Refused(Code.FAILED_PRECONDITION, str(error)) from None
    return done


def _name(given: str) -> str:
    if not given:
        raise Refused.invalid("deployment name cannot be empty")
    return given


def _revision(token: bytes) -> int | None:
    """The revision that a token stands for; one that there never is for what is no token."""
    if not token:
        return None
    return int(token) if token.isdigit() else -1


def _token(deployment: Deployment) -> bytes:
    return str(deployment.revision).encode()


# --- as messages


async def _open_runs(call: Call, deployment: Deployment, one: Version) -> int:
    """Runs that stay with a version."""
    full = version_of(deployment.name, one.build_id).replace("'", "''")
    asked = f"PinnedBuildId = '{full}' AND (ExecutionStatus = 'Running' OR ExecutionStatus = 'Paused')"
    count = await call.service.count(deployment.namespace, filter=asked, statuses=(), workflow_type="")
    return count.total


def _is_routed(deployment: Deployment, one: Version) -> bool:
    is_ramping = deployment.is_ramping and deployment.ramping == one.build_id
    return bool(deployment.current_changed and deployment.current == one.build_id) or is_ramping


async def _standing(call: Call, deployment: Deployment, one: Version) -> tuple[Any, Any]:
    """A version's status, and how far it is drained."""
    if deployment.current == one.build_id:
        return Status.WORKER_DEPLOYMENT_VERSION_STATUS_CURRENT, Drainage.VERSION_DRAINAGE_STATUS_UNSPECIFIED
    if _is_routed(deployment, one):
        return Status.WORKER_DEPLOYMENT_VERSION_STATUS_RAMPING, Drainage.VERSION_DRAINAGE_STATUS_UNSPECIFIED
    if not one.deactivated:
        return Status.WORKER_DEPLOYMENT_VERSION_STATUS_INACTIVE, Drainage.VERSION_DRAINAGE_STATUS_UNSPECIFIED
    if await _open_runs(call, deployment, one):
        return Status.WORKER_DEPLOYMENT_VERSION_STATUS_DRAINING, Drainage.VERSION_DRAINAGE_STATUS_DRAINING
    return Status.WORKER_DEPLOYMENT_VERSION_STATUS_DRAINED, Drainage.VERSION_DRAINAGE_STATUS_DRAINED


def _drained(one: Version, drainage: Any) -> pb_deployment.VersionDrainageInfo | None:
    if not drainage:
        return None
    since = timestamp(one.deactivated)
    return pb_deployment.VersionDrainageInfo(status=drainage, last_changed_time=since, last_checked_time=since)


async def _summary(call: Call, deployment: Deployment, one: Version) -> Any:
    status, drainage = await _standing(call, deployment, one)
    return pb_deployment.WorkerDeploymentInfo.WorkerDeploymentVersionSummary(
        version=text(deployment.name, one.build_id),
        deployment_version=version(deployment.name, one.build_id),
        status=status,
        create_time=timestamp(one.created),
        drainage_status=drainage,
        drainage_info=_drained(one, drainage),
        current_since_time=timestamp(one.current_since),
        ramping_since_time=timestamp(one.ramping_since),
        routing_update_time=timestamp(one.routing_changed),
        first_activation_time=timestamp(one.first_active),
        last_deactivation_time=timestamp(one.deactivated),
    )


def _routing(deployment: Deployment) -> pb_deployment.RoutingConfig:
    name = deployment.name
    return pb_deployment.RoutingConfig(
        current_version=text(name, deployment.current),
        current_deployment_version=version(name, deployment.current),
        ramping_version=text(name, deployment.ramping) if deployment.is_ramping else "",
        ramping_deployment_version=version(name, deployment.ramping),
        ramping_version_percentage=deployment.percentage,
        current_version_changed_time=timestamp(deployment.current_changed),
        ramping_version_changed_time=timestamp(deployment.ramping_changed),
        ramping_version_percentage_changed_time=timestamp(deployment.percentage_changed),
        revision_number=deployment.revision,
    )


def _newest_first(deployment: Deployment) -> list[Version]:
    return sorted(deployment.versions.values(), key=lambda one: one.created, reverse=True)


# --- looking


@methods.add
async def describe_worker_deployment(
    call: Call, request: pb.DescribeWorkerDeploymentRequest
) -> pb.DescribeWorkerDeploymentResponse:
    """A deployment, its versions, and where turns go."""
    namespace = await call.namespace(request.namespace)
    deployment = call.parts.deployments.get(namespace, _name(request.deployment_name))
    return pb.DescribeWorkerDeploymentResponse(
        conflict_token=_token(deployment),
        worker_deployment_info=pb_deployment.WorkerDeploymentInfo(
            name=deployment.name,
            version_summaries=[await _summary(call, deployment, one) for one in _newest_first(deployment)],
            create_time=timestamp(deployment.created),
            routing_config=_routing(deployment),
            last_modifier_identity=deployment.modified_by,
            manager_identity=deployment.managed_by,
        ),
    )


@methods.add
async def list_worker_deployments(
    call: Call, request: pb.ListWorkerDeploymentsRequest
) -> pb.ListWorkerDeploymentsResponse:
    """All of a namespace, by name."""
    namespace = await call.namespace(request.namespace)
    after = decode(request.next_page_token, PageToken).cursor if request.next_page_token else ""
    size = min(request.page_size or DEFAULT_PAGE, DEFAULT_PAGE)
    found = [one for one in call.parts.deployments.all(namespace) if one.name > after]
    page = found[:size]
    summaries = []
    for deployment in page:
        newest = _newest_first(deployment)[:1]
        current, ramping = (deployment.versions.get(name) for name in (deployment.current, deployment.ramping))
        summaries.append(
            pb.ListWorkerDeploymentsResponse.WorkerDeploymentSummary(
                name=deployment.name,
                create_time=timestamp(deployment.created),
                routing_config=_routing(deployment),
                latest_version_summary=await _summary(call, deployment, newest[0]) if newest else None,
                current_version_summary=await _summary(call, deployment, current) if current else None,
                ramping_version_summary=await _summary(call, deployment, ramping) if ramping else None,
            )
        )
    return pb.ListWorkerDeploymentsResponse(
        worker_deployments=summaries,
        next_page_token=encode(PageToken(page[-1].name)) if len(found) > size else b"",
    )


def _queues(one: Version) -> list[tuple[str, Any]]:
    return [*((queue, TURNS) for queue in one.workflow_queues), *((queue, ACTIVITIES) for queue in one.activity_queues)]


@methods.add
async def describe_worker_deployment_version(
    call: Call, request: pb.DescribeWorkerDeploymentVersionRequest
) -> pb.DescribeWorkerDeploymentVersionResponse:
    """A version, and the task queues that its workers have asked at."""
    namespace = await call.namespace(request.namespace)
    name, build_id = named(request)
    one = call.parts.deployments.version(namespace, _name(name), build_id)
    deployment = call.parts.deployments.get(namespace, name)
    status, drainage = await _standing(call, deployment, one)
    is_ramping = deployment.is_ramping and deployment.ramping == build_id
    info = pb_deployment.WorkerDeploymentVersionInfo(
        version=text(name, build_id),
        deployment_version=version(name, build_id),
        status=status,
        create_time=timestamp(one.created),
        routing_changed_time=timestamp(one.routing_changed),
        current_since_time=timestamp(one.current_since),
        ramping_since_time=timestamp(one.ramping_since),
        first_activation_time=timestamp(one.first_active),
        last_current_time=timestamp(one.last_current),
        last_deactivation_time=timestamp(one.deactivated),
        ramp_percentage=deployment.percentage if is_ramping else 0.0,
        task_queue_infos=[
            pb_deployment.WorkerDeploymentVersionInfo.VersionTaskQueueInfo(name=queue, type=kind)
            for queue, kind in _queues(one)
        ],
        drainage_info=_drained(one, drainage),
        metadata=_metadata(one),
        last_modifier_identity=one.modified_by,
    )
    return pb.DescribeWorkerDeploymentVersionResponse(
        worker_deployment_version_info=info,
        version_task_queues=[
            pb.DescribeWorkerDeploymentVersionResponse.VersionTaskQueue(name=queue, type=kind)
            for queue, kind in _queues(one)
        ],
    )


def _metadata(one: Version) -> pb_deployment.VersionMetadata:
    return pb_deployment.VersionMetadata(entries={key: payload(value) for key, value in one.metadata.items()})


# --- changing


def _build(request: Any) -> str:
    """The build that a request names, with or without its deployment; empty for the workers of no version."""
    if request.build_id:
        return str(request.build_id)
    known = request.version
    return "" if known in ("", "__unversioned__") else known.removeprefix(f"{request.deployment_name}.")


@methods.add
async def set_worker_deployment_current_version(
    call: Call, request: pb.SetWorkerDeploymentCurrentVersionRequest
) -> pb.SetWorkerDeploymentCurrentVersionResponse:
    """Send turns to a version."""
    namespace = await call.namespace(request.namespace, Permission.OPERATE)
    deployments, name = call.parts.deployments, _name(request.deployment_name)

    async def change() -> Deployment:
        return await deployments.set_current(
            namespace,
            name,
            _build(request),
            identity=request.identity,
            revision=_revision(request.conflict_token),
            ignores_queues=request.ignore_missing_task_queues,
        )

    before = await _perform(call, "set_current_version", request, change)
    return pb.SetWorkerDeploymentCurrentVersionResponse(
        conflict_token=_token(deployments.get(namespace, name)),
        previous_version=text(name, before.current),
        previous_deployment_version=version(name, before.current),
    )


@methods.add
async def set_worker_deployment_ramping_version(
    call: Call, request: pb.SetWorkerDeploymentRampingVersionRequest
) -> pb.SetWorkerDeploymentRampingVersionResponse:
    """Send turns of a part of the workflow ids to a version."""
    namespace = await call.namespace(request.namespace, Permission.OPERATE)
    deployments, name = call.parts.deployments, _name(request.deployment_name)
    build_id = _build(request)

    async def change() -> Deployment:
        return await deployments.set_ramping(
            namespace,
            name,
            build_id,
            request.percentage,
            identity=request.identity,
            revision=_revision(request.conflict_token),
            ignores_queues=request.ignore_missing_task_queues,
            unset=not build_id and request.version != "__unversioned__",
        )

    before = await _perform(call, "set_ramping_version", request, change)
    return pb.SetWorkerDeploymentRampingVersionResponse(
        conflict_token=_token(deployments.get(namespace, name)),
        previous_version=text(name, before.ramping) if before.is_ramping else "",
        previous_deployment_version=version(name, before.ramping),
        previous_percentage=before.percentage,
    )


@methods.add
async def update_worker_deployment_version_metadata(
    call: Call, request: pb.UpdateWorkerDeploymentVersionMetadataRequest
) -> pb.UpdateWorkerDeploymentVersionMetadataResponse:
    """Note something about a version."""
    namespace = await call.namespace(request.namespace, Permission.OPERATE)
    name, build_id = named(request)
    if not request.upsert_entries and not request.remove_entries:
        raise Refused.invalid("At least one of remove_entries or upsert_entries must be provided")
    changed = to_map(request.upsert_entries) or {}

    async def change() -> Version:
        return await call.parts.deployments.set_metadata(
            namespace, _name(name), build_id, changed, request.remove_entries, request.identity
        )

    one = await _perform(call, "set_version_metadata", request, change)
    return pb.UpdateWorkerDeploymentVersionMetadataResponse(metadata=_metadata(one))


@methods.add
async def set_worker_deployment_manager(
    call: Call, request: pb.SetWorkerDeploymentManagerRequest
) -> pb.SetWorkerDeploymentManagerResponse:
    """Say who is to change a deployment."""
    namespace = await call.namespace(request.namespace, Permission.OPERATE)
    deployments, name = call.parts.deployments, _name(request.deployment_name)
    manager = request.identity if request.self else request.manager_identity

    async def change() -> Deployment:
        return await deployments.set_manager(namespace, name, manager, _revision(request.conflict_token))

    before = await _perform(call, "set_deployment_manager", request, change)
    return pb.SetWorkerDeploymentManagerResponse(
        conflict_token=_token(deployments.get(namespace, name)), previous_manager_identity=before.managed_by
    )


@methods.add
async def delete_worker_deployment_version(
    call: Call, request: pb.DeleteWorkerDeploymentVersionRequest
) -> pb.DeleteWorkerDeploymentVersionResponse:
    """Forget a version that nobody needs."""
    namespace = await call.namespace(request.namespace, Permission.OPERATE)
    deployments = call.parts.deployments
    name, build_id = named(request)

    async def remove() -> None:
        deployment = deployments.get(namespace, _name(name))
        one = deployment.versions.get(build_id)
        if one is None:
            return
        if not _is_routed(deployment, one):
            full = version_of(name, build_id)
            if not request.skip_drainage and await _open_runs(call, deployment, one):
                raise Conflict("Version cannot be deleted since it is draining.")
            if any(call.parts.turns.pollers_of_build(namespace, queue, full) for queue in one.workflow_queues):
                raise Conflict("Version cannot be deleted since it has active pollers.")
        await deployments.remove_version(namespace, name, build_id)

    await _perform(call, "delete_version", request, remove)
    return pb.DeleteWorkerDeploymentVersionResponse()


@methods.add
async def delete_worker_deployment(
    call: Call, request: pb.DeleteWorkerDeploymentRequest
) -> pb.DeleteWorkerDeploymentResponse:
    """Forget a deployment that has no versions."""
    namespace = await call.namespace(request.namespace, Permission.OPERATE)
    name = _name(request.deployment_name)
    await _perform(call, "delete_deployment", request, lambda: call.parts.deployments.remove(namespace, name))
    return pb.DeleteWorkerDeploymentResponse()
