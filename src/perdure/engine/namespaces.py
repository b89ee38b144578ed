"""Namespaces as clients see them: what is set about them, their quotas where requests enter, and their removal.

Those without a quota cost a look at an empty dictionary. How many runs are open is not counted along: a start takes a
place of those that the last count in the store has left, and when none is left the store is asked again. So the figure
cannot drift, whatever becomes of the runs.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import get_args

import msgspec

from perdure.engine.engine import Engine
from perdure.engine.ports import Store
from perdure.engine.rates import Bucket
from perdure.engine.recovery import sleep_until
from perdure.engine.refusals import too_large
from perdure.engine.removal import OPEN, remove_runs
from perdure.model.errors import InvalidArgumentError, LimitExceededError, NotFoundError, PerdureError
from perdure.model.ids import RunAddress
from perdure.model.namespaces import Namespace, NamespaceDescription
from perdure.model.options import DEFAULT_NAMESPACE, SECOND_NS, IdConflict, RunStatus
from perdure.model.requests import ClientRequest, Request, StartWorkflow
from perdure.model.search import EVERYTHING, narrowed, registered
from perdure.model.system import SYSTEM_NAMESPACE

log = logging.getLogger("perdure.engine")

ENTERING = frozenset(get_args(ClientRequest))
RECOUNT_NS = SECOND_NS // 10
"""A namespace that is full is counted again so often at most."""
FULL_RETRY_SECONDS = 1.0


class Usage:
    """What a namespace with a quota, or one that goes, may still have."""

    def __init__(self, namespace: Namespace) -> None:
        quota = namespace.quota
        self.namespace = namespace
        self.starts = Bucket(quota.starts_per_second) if quota.starts_per_second else None
        self.requests = Bucket(quota.requests_per_second) if quota.requests_per_second else None
        self.room = 0
        """So many runs may start before they are counted again."""
        self.under_way = 0
        """Starts that were let in and are not answered yet, so that a count may miss them."""
        self.counted_at = 0
        self.counting = asyncio.Lock()


class Namespaces:
    """Of one engine."""

    def __init__(self, engine: Engine, store: Store) -> None:
        self._engine = engine
        self._store = store
        self._known: dict[str, Namespace] = {}
        self.bounded: dict[str, Usage] = {}
        """Those that a request may be refused for; read directly where it is asked of every request whether there are
        any."""
        self._removals: dict[str, asyncio.Task[None]] = {}

    async def open(self) -> None:
        """Take up what the store says, before anything starts. Raises ``StoreError``."""
        for namespace in await self._store.namespaces():
            self._know(namespace)

    def go_on(self) -> None:
        """Go on removing what was being removed."""
        for namespace in self._known.values():
            if namespace.is_deleted:
                self._begin_removal(namespace.name)

    async def close(self) -> None:
        """Remove no more; it goes on when the store is opened again."""
        removals = list(self._removals.values())
        for removal in removals:
            removal.cancel()
        await asyncio.gather(*removals, return_exceptions=True)

    def abandon(self) -> None:
        """As when the process dies."""
        for removal in self._removals.values():
            removal.cancel()

    def _know(self, namespace: Namespace) -> None:
        name, quota = namespace.name, namespace.quota
        self._known[name] = namespace
        has_quota = quota.open_runs or quota.starts_per_second or quota.requests_per_second or quota.payload_bytes
        if has_quota or namespace.is_deleted:
            self.bounded[name] = Usage(namespace)
        else:
            self.bounded.pop(name, None)
        self._engine.dispatch.shares.shares[name] = quota.share

    # --- settings

    async def put(self, namespace: Namespace) -> None:
        """As ``Service.set_namespace``."""
        _check(namespace, self._engine.limits.id_length)
        known = self._known.get(namespace.name)
        if known is not None and known.is_deleted:
            raise InvalidArgumentError(f"Namespace {namespace.name!r} is being deleted. Wait until it is gone.")
        await self._store.set_namespace(namespace)
        self._know(namespace)

    async def all(self) -> Sequence[Namespace]:
        """As ``Service.namespaces``."""
        return [namespace for _, namespace in sorted(self._known.items())]

    async def describe(self, name: str) -> NamespaceDescription:
        """As ``Service.describe_namespace``."""
        open_runs, runs = await self._count(name, *OPEN), await self._count(name)
        types = registered(self._engine.attributes.known.get(name, {}))
        known = self._known.get(name)
        if known is None and not runs and not types:
            raise NotFoundError(f"There is no namespace {name!r}. See client.namespaces() for those there are.")
        return NamespaceDescription(known or Namespace(name), open_runs, runs - open_runs, dict(types))

    async def _count(self, name: str, *statuses: RunStatus) -> int:
        groups = await self._store.count(name, narrowed(EVERYTHING, statuses))
        return sum(group.count for group in groups)

    # --- quotas

    def refuse(self, namespace: str, request: Request) -> PerdureError | None:
        """Why a request may not enter. Ask only if the namespace is ``bounded``."""
        usage = self.bounded[namespace]
        quota = usage.namespace.quota
        if usage.namespace.is_deleted and isinstance(request, StartWorkflow):
            return NotFoundError(f"Namespace {namespace!r} is being deleted, so nothing starts in it.")
        for payload in getattr(request, "input", ()) if quota.payload_bytes else ():
            if len(payload.data) > quota.payload_bytes:
                return too_large(len(payload.data), quota.payload_bytes, f"payload_bytes of namespace {namespace!r}")
        if request.__class__ not in ENTERING:
            return None  # what comes of work that was let in is never too much
        return self.refuse_rate(namespace, is_start=isinstance(request, StartWorkflow))

    def refuse_rate(self, namespace: str, *, is_start: bool) -> LimitExceededError | None:
        """Why something that has no payloads to look at may not enter now."""
        usage, now = self.bounded[namespace], self._engine.clock.now_ns()
        if usage.requests is not None and (wait := usage.requests.take(now)):
            return _too_fast(namespace, "requests_per_second", usage.namespace.quota.requests_per_second, wait)
        if is_start and usage.starts is not None and (wait := usage.starts.take(now)):
            return _too_fast(namespace, "starts_per_second", usage.namespace.quota.starts_per_second, wait)
        return None

    async def enter(self, namespace: str, workflow_id: str, id_conflict: IdConflict) -> Usage | None:
        """Take a place for a run that is about to start; hand what comes back to ``entered`` once that is recorded or
        refused. Raises ``LimitExceededError``."""
        usage = self.bounded.get(namespace)
        if usage is None or not (limit := usage.namespace.quota.open_runs):
            return None
        if usage.room <= 0:
            async with usage.counting:
                await self._recount(usage, limit)
        if usage.room <= 0 and (id_conflict is IdConflict.FAIL or not await self._is_open(namespace, workflow_id)):
            raise LimitExceededError(
                f"Namespace {namespace!r} has as many open runs as its quota open_runs of {limit:,} allows. Start it again "
                "when some have closed, or raise the quota.",
                retry_after_seconds=FULL_RETRY_SECONDS,
            )
        usage.room -= 1
        usage.under_way += 1
        return usage

    @staticmethod
    def entered(usage: Usage | None) -> None:
        """A start that was let in is answered."""
        if usage is not None:
            usage.under_way -= 1

    async def _recount(self, usage: Usage, limit: int) -> None:
        now = self._engine.clock.now_ns()
        if usage.room > 0 or (usage.counted_at and now - usage.counted_at < RECOUNT_NS):
            return  # somebody else has just done it
        under_way = usage.under_way
        usage.room = limit - await self._count(usage.namespace.name, *OPEN) - under_way
        usage.counted_at = self._engine.clock.now_ns()

    async def _is_open(self, namespace: str, workflow_id: str) -> bool:
        """Whether a start would only find its run."""
        found: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        def done(resident: object) -> None:
            if not found.done():
                run = getattr(resident, "run", None)
                found.set_result(run is not None and run.close is None)

        self._engine.loader.find(RunAddress(namespace, workflow_id), done)
        return await found

    # --- removal

    async def delete(self, name: str, *, force: bool) -> None:
        """As ``Service.delete_namespace``."""
        if name in (DEFAULT_NAMESPACE, SYSTEM_NAMESPACE):
            raise InvalidArgumentError(f"Namespace {name!r} is always there; delete its runs instead.")
        described = await self.describe(name)
        if described.open_runs and not force:
            raise InvalidArgumentError(
                f"Namespace {name!r} has {described.open_runs:,} open runs. Close them first, or force its deletion, which "
                "terminates them."
            )
        if not described.namespace.is_deleted:
            gone = msgspec.structs.replace(described.namespace, is_deleted=True)
            await self._store.set_namespace(gone)
            self._know(gone)
        self._begin_removal(name)

    def _begin_removal(self, name: str) -> None:
        if name not in self._removals:
            self._removals[name] = asyncio.get_running_loop().create_task(self._remove(name))

    async def _remove(self, name: str) -> None:
        """Remove a namespace's runs, and then itself; again and again until it succeeds."""
        engine = self._engine
        try:
            while not engine.closing:
                try:
                    await remove_runs(engine, name)
                    if not await self._count(name):
                        engine.attributes.forget(name)
                        await self._store.delete_namespace(name)
                        for kept in (self._known, self.bounded, engine.dispatch.shares.shares):
                            kept.pop(name, None)
                        return
                except PerdureError as error:
                    log.warning("Namespace %r could not be deleted now: %s", name, error)
                await sleep_until(engine, engine.clock.now_ns() + engine.settings.store_retry_ns)
        finally:
            self._removals.pop(name, None)


def _too_fast(namespace: str, name: str, rate: float, wait_ns: int) -> LimitExceededError:
    return LimitExceededError(
        f"Namespace {namespace!r} has used up its quota {name} of {rate:g}. Try again in {wait_ns / SECOND_NS:.3g} s, or raise "
        "the quota.",
        retry_after_seconds=wait_ns / SECOND_NS,
    )


def _check(namespace: Namespace, length: int) -> None:
    name, quota = namespace.name, namespace.quota
    if not name or name != name.strip() or ":" in name or name == "*" or len(name) > length:
        raise InvalidArgumentError(
            f"Namespace {name[:50]!r}: a name must not be empty, '*', longer than {length} characters, have a colon in it, "
            "or begin or end with a space."
        )
    if namespace.retention_ns < 0:
        raise InvalidArgumentError(f"Namespace {name!r}: a retention must not be negative.")
    if namespace.is_deleted:
        raise InvalidArgumentError(f"Namespace {name!r} is deleted by delete_namespace, not by setting it so.")
    for limit in ("open_runs", "starts_per_second", "requests_per_second", "payload_bytes"):
        if not getattr(quota, limit) >= 0:
            raise InvalidArgumentError(f"Namespace {name!r}: the quota {limit} must not be negative.")
    if not 0 < quota.share < 1_000_000:
        raise InvalidArgumentError(f"Namespace {name!r}: its share={quota.share} must be above 0 and below 1,000,000.")
