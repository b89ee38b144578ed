"""Deployments of workers: the builds of one program, and which of them takes what is not bound to any.

A build that belongs to a deployment is a *version*, ``name:build``; that is its build id to everything else. Runs whose
turns were taken by a version that pins them stay with it; all others go where the deployment says: to the current version,
or for a part of the workflow ids to the ramping one.
"""

from collections.abc import Mapping
from zlib import crc32

import msgspec

from perdure.model.payloads import Payload

SEPARATOR = ":"


def version_of(deployment: str, build_id: str) -> str:
    """A version's build id. Just the build without a deployment."""
    return f"{deployment}{SEPARATOR}{build_id}" if deployment else build_id


class Version(msgspec.Struct, frozen=True):
    """One build of a deployment. Times are ns since 1970, 0 if it never was so."""

    build_id: str
    created: int
    workflow_queues: tuple[str, ...] = ()
    """Task queues where workers of this build have asked for turns,"""
    activity_queues: tuple[str, ...] = ()
    """and for activities."""
    current_since: int = 0
    ramping_since: int = 0
    routing_changed: int = 0
    first_active: int = 0
    last_current: int = 0
    deactivated: int = 0
    metadata: Mapping[str, Payload] = {}
    modified_by: str = ""


class Deployment(msgspec.Struct, frozen=True):
    """A program's builds, by their ids, and how new turns are routed. ``current`` and ``ramping`` are build ids; empty for
    the workers that are of no version. ``revision`` counts the changes."""

    namespace: str
    name: str
    created: int
    versions: Mapping[str, Version] = {}
    current: str = ""
    current_changed: int = 0
    ramping: str = ""
    is_ramping: bool = False
    percentage: float = 0.0
    ramping_changed: int = 0
    percentage_changed: int = 0
    modified_by: str = ""
    managed_by: str = ""
    revision: int = 0


class Route(msgspec.Struct, frozen=True):
    """Where turns of a task queue go that no build has for itself: full names of versions, empty for workers of none."""

    current: str
    ramping: str = ""
    percentage: float = 0.0
    changed: int = 0

    def version_for(self, workflow_id: str) -> str:
        """The same for a workflow id while the route stays."""
        share = crc32(workflow_id.encode()) % 10_000
        return self.ramping if share < self.percentage * 100 else self.current
