"""Versions of workers as messages: what a worker says of itself, and a deployment's versions by their several names."""

from typing import Any

from temporalio.api.deployment.v1 import message_pb2 as pb
from temporalio.api.enums.v1 import deployment_pb2, workflow_pb2

from perdure.model.deployments import SEPARATOR
from perdure.model.options import Versioning

VERSIONED = deployment_pb2.WorkerVersioningMode.WORKER_VERSIONING_MODE_VERSIONED
UNVERSIONED = "__unversioned__"
"""What Temporal calls the workers of no version where it has one word for a version."""


def deployment_of(options: pb.WorkerDeploymentOptions) -> str:
    """The deployment that a worker is of; empty if its build belongs to none."""
    return options.deployment_name if options.worker_versioning_mode == VERSIONED else ""


def behavior(value: Versioning) -> Any:
    """As the number of Temporal's enum, which is the same."""
    return workflow_pb2.VersioningBehavior.ValueType(int(value))


def to_versioning(number: int) -> Versioning:
    """What a turn says; what nobody knows is as if it said nothing."""
    try:
        return Versioning(number)
    except ValueError:
        return Versioning.UNSPECIFIED


def plain_build(version: str, deployment: str) -> str:
    """A build's id without its deployment's name."""
    return version.removeprefix(deployment + SEPARATOR) if deployment else version


def version(deployment: str, build_id: str) -> pb.WorkerDeploymentVersion | None:
    """A version; None for the workers of none."""
    return pb.WorkerDeploymentVersion(deployment_name=deployment, build_id=build_id) if build_id else None


def text(deployment: str, build_id: str) -> str:
    """A version in the one word that older clients know."""
    return f"{deployment}.{build_id}" if build_id else UNVERSIONED


def split(full: str) -> tuple[str, str]:
    """Deployment and build of a version's full name."""
    deployment, _, build_id = full.partition(SEPARATOR)
    return (deployment, build_id) if build_id else ("", full)


def named(given: Any) -> tuple[str, str]:
    """Deployment and build of a request that names a version in either way."""
    if given.HasField("deployment_version"):
        return given.deployment_version.deployment_name, given.deployment_version.build_id
    deployment, _, build_id = given.version.partition(".")
    return deployment, build_id
