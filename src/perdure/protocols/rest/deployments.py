"""Deployments of workers: the builds of one program, and to which of them runs go that are bound to none."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, TypeVar

import msgspec

from perdure.engine.deployments import Deployments
from perdure.model.access import Permission
from perdure.model.deployments import Deployment
from perdure.model.errors import NotFoundError
from perdure.protocols.rest.asking import Asked
from perdure.protocols.rest.operations import Call, Nothing, Operations
from perdure.protocols.rest.paging import PageQuery, page_of
from perdure.protocols.rest.values import to_time

operations = Operations("deployments")

ALL = "/namespaces/{namespace}/deployments"
PATH = f"{ALL}/{{deployment}}"

BuildId = Annotated[str, msgspec.Meta(max_length=1_000)]
T = TypeVar("T")


class CurrentBody(Asked):
    """Which build takes the turns of runs that are bound to none; empty for workers of no version. With
    ``ignores_queues`` even if nobody of it serves a task queue that the present one serves."""

    build_id: BuildId
    ignores_queues: bool = False


class RampingBody(Asked):
    """Which build takes the turns of so many percent of the workflow ids instead; null for none any more, empty for workers of
    no version."""

    build_id: BuildId | None
    percentage: Annotated[float, msgspec.Meta(ge=0, le=100)] = 0.0
    ignores_queues: bool = False


class VersionView(msgspec.Struct, frozen=True):
    """One build, with the task queues where its workers have asked, and since when it has had which part."""

    build_id: str
    created: datetime | None
    workflow_queues: list[str]
    activity_queues: list[str]
    is_current: bool
    is_ramping: bool
    current_since: datetime | None
    ramping_since: datetime | None


class DeploymentView(msgspec.Struct, frozen=True):
    """A deployment. ``current`` and ``ramping`` are build ids, empty for workers of no version; ``percentage`` is null while
    none is ramping."""

    name: str
    created: datetime | None
    current: str
    ramping: str
    percentage: float | None
    modified_by: str
    revision: int
    versions: list[VersionView]


class DeploymentsView(msgspec.Struct, frozen=True):
    """A page of those of a namespace, by name; ``next_cursor`` is empty on the last one."""

    deployments: list[DeploymentView]
    next_cursor: str = ""


@operations.add("GET", ALL, query=PageQuery, answer=DeploymentsView)
async def list_deployments(call: Call[None, PageQuery]) -> DeploymentsView:
    """All deployments whose workers have asked for work here."""
    call.require(Permission.READ)
    kept = call.parts.deployments
    found = [] if kept is None else sorted(kept.all(call.namespace), key=lambda one: one.name)
    page, next_cursor = page_of(found, lambda one: (one.name,), call.query)
    return DeploymentsView([_view(one) for one in page], next_cursor)


@operations.add("GET", PATH, answer=DeploymentView)
async def describe_deployment(call: Call[None, Nothing]) -> DeploymentView:
    """One deployment with its versions."""
    call.require(Permission.READ)
    return _view(_kept(call).get(call.namespace, call.path["deployment"]))


@operations.add("POST", f"{PATH}/current", body=CurrentBody, answer=DeploymentView)
async def set_current_version(call: Call[CurrentBody, Nothing]) -> DeploymentView:
    """Send turns to a version."""
    body, namespace, name = call.body, call.namespace, call.path["deployment"]
    return await _changed(
        call,
        lambda kept: kept.set_current(
            namespace, name, body.build_id, identity=call.identity, ignores_queues=body.ignores_queues
        ),
    )


@operations.add("POST", f"{PATH}/ramping", body=RampingBody, answer=DeploymentView)
async def set_ramping_version(call: Call[RampingBody, Nothing]) -> DeploymentView:
    """Send turns of a part of the workflow ids to a version, or of none any more."""
    body, namespace, name = call.body, call.namespace, call.path["deployment"]
    return await _changed(
        call,
        lambda kept: kept.set_ramping(
            namespace,
            name,
            body.build_id or "",
            body.percentage,
            identity=call.identity,
            ignores_queues=body.ignores_queues,
            unset=body.build_id is None,
        ),
    )


@operations.add("DELETE", f"{PATH}/versions/{{build_id}}")
async def delete_version(call: Call[None, Nothing]) -> None:
    """Forget a version; one that is current or ramping stays."""
    namespace, name, build_id = call.namespace, call.path["deployment"], call.path["build_id"]
    await _perform(call, lambda kept: kept.remove_version(namespace, name, build_id))


@operations.add("DELETE", PATH)
async def delete_deployment(call: Call[None, Nothing]) -> None:
    """Forget a deployment that has no versions any more."""
    namespace, name = call.namespace, call.path["deployment"]
    await _perform(call, lambda kept: kept.remove(namespace, name))


def _kept(call: Call[T, Nothing]) -> Deployments:
    kept = call.parts.deployments
    if kept is None:
        raise NotFoundError("This server has no deployments of workers: it has no temporal_address.")
    return kept


async def _perform(call: Call[T, Nothing], work: Callable[[Deployments], Awaitable[object]]) -> None:
    async def act() -> None:
        await work(_kept(call))

    await call.perform(Permission.OPERATE, act)


async def _changed(call: Call[T, Nothing], work: Callable[[Deployments], Awaitable[object]]) -> DeploymentView:
    await _perform(call, work)
    return _view(_kept(call).get(call.namespace, call.path["deployment"]))


def _view(one: Deployment) -> DeploymentView:
    return DeploymentView(
        one.name,
        to_time(one.created),
        one.current,
        one.ramping,
        one.percentage if one.is_ramping else None,
        one.modified_by,
        one.revision,
        [
            VersionView(
                version.build_id,
                to_time(version.created),
                sorted(version.workflow_queues),
                sorted(version.activity_queues),
                one.current == version.build_id,
                one.is_ramping and one.ramping == version.build_id,
                to_time(version.current_since),
                to_time(version.ramping_since),
            )
            for _, version in sorted(one.versions.items())
        ],
    )
