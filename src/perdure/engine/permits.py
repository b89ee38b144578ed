"""The attempts that live and that something depends on, each with its permit.

One lives from the decision to start it until its code has ended here, or, if it is to be completed from outside, until
that is done. So a permit goes when the attempt's worker reports of it; where no worker will, when a commit says so.
"""

from typing import Any

from perdure.engine.backlog import Backlog
from perdure.engine.queue_rules import Permit
from perdure.engine.resident import Resident
from perdure.kernel.commit import Commit
from perdure.model.ids import RunAddress
from perdure.model.program import Hosts
from perdure.model.requests import HeartbeatActivity

PermitName = tuple[str, int]
"""An activity's run id and scheduled event id."""


class Permits:
    """What is waited for in ``backlog`` may be free when a permit goes."""

    def __init__(self, worker: Hosts | None, backlog: Backlog) -> None:
        self.named: dict[PermitName, Permit] = {}
        """Read directly where it is asked of every activity whether there are any."""
        self.outside: set[PermitName] = set()
        """Those of them whose code has ended and that somebody outside completes; read directly, too."""
        self._worker = worker
        self._backlog = backlog

    def keep(self, permit: Permit) -> None:
        """An attempt lives."""
        name = (permit.run_id, permit.ref)
        older = self.named.setdefault(name, permit)
        if older is not permit:
            permit.older = older
            self.named[name] = permit

    def find(self, run_id: str, ref: int, attempt: int) -> Permit | None:
        """The permit of an attempt, if it has one."""
        permit = self.named.get((run_id, ref))
        while permit is not None and permit.attempt != attempt:
            permit = permit.older
        return permit

    def remove(self, permit: Permit) -> None:
        """An attempt lives no more."""
        named = self.named
        permit.is_live = False
        name = (permit.run_id, permit.ref)
        newest = named.pop(name)
        if newest is not permit:
            named[name] = newest
            while newest.older is not permit:
                assert newest.older is not None
                newest = newest.older
            newest.older = permit.older
        elif permit.older is not None:
            named[name] = permit.older
        elif self.outside:
            self.outside.discard(name)
        rules = permit.rules
        if rules is not None:
            rules.remove(permit)
            if self._backlog.waiting:
                self.free_key(permit)

    def free_key(self, permit: Permit) -> None:
        """Others with a permit's limit key may start."""
        if permit.limit_key and permit.rules is not None:
            settings = permit.rules.settings
            line = self._backlog.waiting.get((settings.namespace, settings.name))
            if line is not None:
                line.free_key(permit.limit_key)

    def reported(self, address: RunAddress, request: Any) -> None:
        """A worker tells of an attempt by one of the requests that name it: mostly that its code runs no more."""
        permit = self.named.get((address.run_id, request.scheduled_event_id))
        while permit is not None and permit.attempt != request.attempt:
            permit = permit.older
        if permit is None:
            return
        if request.__class__ is not HeartbeatActivity:
            self.remove(permit)
        elif self._worker is not None and not self._worker.runs_activity(address, permit.ref, permit.attempt):
            self.outside.add((permit.run_id, permit.ref))

    def observe(self, resident: Resident, commit: Commit) -> None:
        """What a commit did to attempts that no worker reported: they timed out, were completed from outside, or are no
        longer wanted."""
        run, worker = commit.run, self._worker
        for ref in commit.tasks:
            permit = self.named.get((run.run_id, ref))
            pending = run.activities.get(ref)
            while permit is not None:
                older = permit.older
                if (
                    # Code that goes on although nobody wants it still takes what the limits are there to protect.
                    pending is None or pending.attempt != permit.attempt or not pending.started_time
                ) and (worker is None or not worker.runs_activity(resident.address, ref, permit.attempt)):
                    self.remove(permit)
                permit = older
