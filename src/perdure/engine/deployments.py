"""Deployments of workers: kept in the store, and as routes where turns are handed out."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import quote, unquote

import msgspec

from perdure.engine.documents import Documents
from perdure.model.deployments import Deployment, Route, Version, version_of
from perdure.model.errors import InvalidArgumentError, NotFoundError, PerdureError
from perdure.model.payloads import Payload

log = logging.getLogger("perdure.engine")

KIND = "deployment"
MOST_VERSIONS = 1_000
"""Of one deployment."""

Queue = tuple[str, str]
"""Namespace and task queue."""


class Conflict(InvalidArgumentError):
    """The deployment is not as whoever asks takes it to be, or can't be changed so now."""


class Deployments:
    """All of them. Belongs to one engine, and shares its thread.

    Args:
        documents: where they are kept.
        now: the time, ns since 1970.
    """

    def __init__(self, documents: Documents, now: Callable[[], int]) -> None:
        self.routes: Mapping[Queue, Route] = {}
        """Of the task queues where a version was made current or ramping."""
        self.changed: Callable[[], None] = lambda: None
        """Called when there are other routes."""
        self._documents = documents
        self._now = now
        self._known: dict[tuple[str, str], Deployment] = {}
        self._unsaved: set[tuple[str, str]] = set()
        self._saving: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Take up what the store says. Raises ``StoreError``."""
        for key, data in await self._documents.documents(KIND):
            namespace, _, name = key.partition("/")
            self._known[unquote(namespace), unquote(name)] = msgspec.json.decode(data, type=Deployment)
        self._route()

    async def close(self) -> None:
        """Save what is not saved."""
        if self._saving is not None:
            await self._saving

    # --- looking

    def all(self, namespace: str) -> Sequence[Deployment]:
        """Those of a namespace, by name."""
        return [self._known[key] for key in sorted(self._known) if key[0] == namespace]

    def get(self, namespace: str, name: str) -> Deployment:
        """One of them. Raises ``NotFoundError``."""
        found = self._known.get((namespace, name))
        if found is None:
            raise NotFoundError("Worker Deployment not found")
        return found

    def version(self, namespace: str, name: str, build_id: str) -> Version:
        """One version. Raises ``NotFoundError``."""
        found = self._known.get((namespace, name))
        if found is None or build_id not in found.versions:
            raise NotFoundError("Worker Deployment Version not found")
        return found.versions[build_id]

    # --- what workers show

    def seen(self, namespace: str, name: str, build_id: str, queue: str, *, activities: bool) -> None:
        """A worker of this version asks at a task queue."""
        deployment = self._known.get((namespace, name))
        version = deployment.versions.get(build_id) if deployment is not None else None
        if version is not None and queue in (version.activity_queues if activities else version.workflow_queues):
            return
        now = self._now()
        deployment = deployment or Deployment(namespace, name, now)
        version = version or Version(build_id, now)
        if activities:
            version = msgspec.structs.replace(version, activity_queues=(*version.activity_queues, queue))
        else:
            version = msgspec.structs.replace(version, workflow_queues=(*version.workflow_queues, queue))
        self._set(_with(deployment, version))
        if not activities and build_id in (deployment.current, deployment.ramping):
            self._route()
        self._save_soon((namespace, name))

    # --- what operators change

    async def set_current(
        self,
        namespace: str,
        name: str,
        build_id: str,
        *,
        identity: str,
        revision: int | None = None,
        ignores_queues: bool = False,
    ) -> Deployment:
        """Send turns to a version from now on; to workers of no version with an empty ``build_id``. What was before.

        Raises:
            NotFoundError: no such deployment, or no such version in it.
            Conflict: ``revision`` is not the present one, or the version lacks task queues of the present one.
        """
        before = self._checked(namespace, name, build_id, revision)
        if not ignores_queues:
            _need_queues(before, build_id, "current")
        now = self._now()
        deployment = before
        if before.current != build_id:
            deployment = _ended(deployment, before.current, now)
        if before.is_ramping and before.ramping == build_id:
            deployment = msgspec.structs.replace(
                deployment, is_ramping=False, ramping="", percentage=0.0, ramping_changed=now, percentage_changed=now
            )
        deployment = _begun(deployment, build_id, now, "current_since", identity)
        await self._put(
            msgspec.structs.replace(
                deployment,
                current=build_id,
                current_changed=now,
                modified_by=identity,
                revision=before.revision + 1,
            )
        )
        return before

    async def set_ramping(
        self,
        namespace: str,
        name: str,
        build_id: str,
        percentage: float,
        *,
        identity: str,
        revision: int | None = None,
        ignores_queues: bool = False,
        unset: bool = False,
    ) -> Deployment:
        """Send turns of a part of the workflow ids to a version; of none with ``unset``. What was before.

        Raises as ``set_current``, and ``InvalidArgumentError`` for a percentage that is none.
        """
        if not 0.0 <= percentage <= 100.0:
            raise InvalidArgumentError("Percentage must be between 0 and 100 (inclusive)")
        before = self._checked(namespace, name, build_id, revision)
        if not unset and build_id == before.current:
            raise Conflict(f"requested ramping version {name}.{build_id} is already current")
        if not unset and not ignores_queues:
            _need_queues(before, build_id, "ramping")
        now = self._now()
        deployment = before
        if before.is_ramping and (unset or before.ramping != build_id):
            deployment = _ended(deployment, before.ramping, now)
        if not unset:
            deployment = _begun(deployment, build_id, now, "ramping_since", identity)
        is_same = before.is_ramping and before.ramping == build_id and not unset
        await self._put(
            msgspec.structs.replace(
                deployment,
                ramping="" if unset else build_id,
                is_ramping=not unset,
                percentage=0.0 if unset else percentage,
                ramping_changed=before.ramping_changed if is_same else now,
                percentage_changed=now,
                modified_by=identity,
                revision=before.revision + 1,
            )
        )
        return before

    async def set_metadata(
        self,
        namespace: str,
        name: str,
        build_id: str,
        changed: Mapping[str, Payload],
        removed: Sequence[str],
        identity: str,
    ) -> Version:
        """Note something about a version. Raises ``NotFoundError``."""
        version = self.version(namespace, name, build_id)
        metadata = {**version.metadata, **changed}
        metadata = {key: value for key, value in metadata.items() if key not in removed}
        version = msgspec.structs.replace(version, metadata=metadata, modified_by=identity)
        await self._put(_with(self.get(namespace, name), version))
        return version

    async def set_manager(self, namespace: str, name: str, manager: str, revision: int | None) -> Deployment:
        """Say who alone is to change it. What was before. Raises ``NotFoundError``, ``Conflict``."""
        before = self.get(namespace, name)
        _check_revision(before, revision)
        await self._put(msgspec.structs.replace(before, managed_by=manager, revision=before.revision + 1))
        return before

    async def remove_version(self, namespace: str, name: str, build_id: str) -> None:
        """Forget a version. Raises ``NotFoundError``; ``Conflict`` if turns may go there."""
        self.version(namespace, name, build_id)
        deployment = self.get(namespace, name)
        if build_id == deployment.current or (deployment.is_ramping and build_id == deployment.ramping):
            raise Conflict("Version cannot be deleted since it is current or ramping.")
        versions = {one: version for one, version in deployment.versions.items() if one != build_id}
        await self._put(msgspec.structs.replace(deployment, versions=versions))

    async def remove(self, namespace: str, name: str) -> None:
        """Forget a deployment. Raises ``Conflict`` if it has versions; one that is not there is gone already."""
        deployment = self._known.get((namespace, name))
        if deployment is None:
            return
        if deployment.versions:
            raise Conflict("deployment has versions, can't be deleted")
        del self._known[namespace, name]
        await self._documents.set_document(KIND, _key((namespace, name)), None)
        self._route()

    # --- keeping

    def _checked(self, namespace: str, name: str, build_id: str, revision: int | None) -> Deployment:
        deployment = self.get(namespace, name)
        _check_revision(deployment, revision)
        if build_id and build_id not in deployment.versions:
            raise NotFoundError("Version not found in deployment")
        return deployment

    async def _put(self, deployment: Deployment) -> None:
        key = (deployment.namespace, deployment.name)
        await self._documents.set_document(KIND, _key(key), msgspec.json.encode(deployment))
        self._set(deployment)
        self._route()

    def _set(self, deployment: Deployment) -> None:
        if len(deployment.versions) > MOST_VERSIONS:
            log.warning("Deployment %s has more than %d versions; delete old ones", deployment.name, MOST_VERSIONS)
        self._known[deployment.namespace, deployment.name] = deployment

    def _save_soon(self, key: tuple[str, str]) -> None:
        self._unsaved.add(key)
        if self._saving is None:
            self._saving = asyncio.get_running_loop().create_task(self._save())

    async def _save(self) -> None:
        while self._unsaved:
            key = self._unsaved.pop()
            deployment = self._known.get(key)
            if deployment is not None:
                try:
                    await self._documents.set_document(KIND, _key(key), msgspec.json.encode(deployment))
                except PerdureError as error:
                    log.warning("Deployment %s was not saved: %s", deployment.name, error)
        self._saving = None

    def _route(self) -> None:
        routes: dict[Queue, Route] = {}
        for deployment in self._known.values():
            if not deployment.current_changed and not deployment.is_ramping:
                continue
            route = Route(
                version_of(deployment.name, deployment.current) if deployment.current else "",
                version_of(deployment.name, deployment.ramping) if deployment.ramping else "",
                deployment.percentage if deployment.is_ramping else 0.0,
                max(deployment.current_changed, deployment.ramping_changed),
            )
            for build_id in {deployment.current, deployment.ramping} - {""}:
                version = deployment.versions.get(build_id)
                for queue in version.workflow_queues if version is not None else ():
                    known = routes.get((deployment.namespace, queue))
                    if known is None or known.changed < route.changed:
                        routes[deployment.namespace, queue] = route
        if routes != self.routes:
            self.routes = routes
            self.changed()


def _key(key: tuple[str, str]) -> str:
    return "/".join(quote(part, "") for part in key)


def _check_revision(deployment: Deployment, revision: int | None) -> None:
    if revision is not None and revision != deployment.revision:
        raise Conflict("conflict token mismatch")


def _need_queues(deployment: Deployment, build_id: str, kind: str) -> None:
    present = deployment.versions.get(deployment.current)
    following = deployment.versions.get(build_id)
    if present is None or following is None:
        return
    if set(present.workflow_queues) - set(following.workflow_queues):
        raise Conflict(f"New {kind} version does not have all the task queues from the previous current version")


def _with(deployment: Deployment, version: Version) -> Deployment:
    return msgspec.structs.replace(deployment, versions={**deployment.versions, version.build_id: version})


def _ended(deployment: Deployment, build_id: str, now: int) -> Deployment:
    """Turns no longer go to a version of themselves."""
    version = deployment.versions.get(build_id)
    if version is None:
        return deployment
    was_current = now if version.current_since else version.last_current
    version = msgspec.structs.replace(
        version, current_since=0, ramping_since=0, routing_changed=now, deactivated=now, last_current=was_current
    )
    return _with(deployment, version)


def _begun(deployment: Deployment, build_id: str, now: int, since: str, identity: str) -> Deployment:
    version = deployment.versions.get(build_id)
    if version is None:
        return deployment
    facts = {"current_since": 0, "ramping_since": 0, since: getattr(version, since) or now}
    version = msgspec.structs.replace(
        version,
        **facts,
        routing_changed=now,
        first_active=version.first_active or now,
        deactivated=0,
        modified_by=identity,
    )
    return _with(deployment, version)
