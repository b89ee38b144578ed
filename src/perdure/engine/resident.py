"""Runs held in memory.

A run stays here while something happens to it and as long as there is room; then it is forgotten, program and all,
and folded anew from its history when it is next needed. Only a run with nothing under way can be forgotten, so what
is not here is wholly in the store.
"""

from collections import OrderedDict
from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from perdure.kernel.run import Run
from perdure.model.events import Event
from perdure.model.ids import RunAddress
from perdure.model.program import Program, TurnHost

if TYPE_CHECKING:
    from perdure.engine.pipeline import Effect


class Resident(msgspec.Struct, eq=False):
    """One run in memory.

    ``commits`` counts its decisions, written or under way; ``in_flight`` those whose transaction is not done.
    ``program`` is there once it has taken a turn, and ``host`` is the worker that it is at; ``unseen`` are the events
    it has not been given yet, and ``seen`` is the number of the last one it was given. Without a program, ``unseen``
    holds the whole history if ``has_history``, else nothing.
    """

    key: int
    run: Run
    address: RunAddress
    program: Program | None = None
    host: TurnHost | None = None
    unseen: list[Event] = []
    seen: int = 0
    has_history: bool = True
    history_bytes: int = 0
    commits: int = 0
    in_flight: int = 0
    is_turn_out: bool = False
    """A worker elsewhere has its turn in hand."""
    is_told: bool = False
    """Runs that it started tell it how they end."""
    withheld: "Effect | None" = None
    """A decision that has not gone to the store: it waits for the end of the turn that it handed out."""
    turn_sent: float = 0.0
    """When that was, by the event loop's clock. 0.0 once the turn has ended."""
    is_lost: bool = False
    """Its last commits could not be written, so the state here is not the store's. Never used again."""

    def drop_program(self) -> None:
        """Let go of the program; the next turn rebuilds it from the history."""
        if self.program is not None:
            self.program.close()
            self.program = self.host = None
        self.unseen = []
        self.seen = 0
        self.has_history = False


class Residents:
    """All runs in memory, by key, by run id, and by workflow id for the last started one."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._by_key: OrderedDict[int, Resident] = OrderedDict()
        self._by_run_id: dict[str, Resident] = {}
        self._current: dict[tuple[str, str], Resident] = {}
        self.closed: set[tuple[str, str]] = set()
        """Workflow ids whose last run is known to be closed: some of those that are told when what they started ends."""
        self.hits = 0
        """How often a run that was asked for was here."""
        self.evictions = 0
        """How many runs were forgotten to make room."""

    def __len__(self) -> int:
        return len(self._by_key)

    def __contains__(self, key: int) -> bool:
        return key in self._by_key

    def __iter__(self) -> Iterator[Resident]:
        return iter(self._by_key.values())

    def add(self, resident: Resident, *, is_current: bool) -> None:
        """Hold a run. ``is_current``: it is the last started one of its workflow id."""
        run = resident.run
        self._by_key[resident.key] = resident
        self._by_run_id[run.run_id] = resident
        if is_current:
            self._current[run.namespace, run.started.workflow_id] = resident
            if self.closed:
                self.closed.discard((run.namespace, run.started.workflow_id))

    def yield_to_others(self, resident: Resident) -> None:
        """Let it be forgotten before all others: it is not needed soon."""
        self._by_key.move_to_end(resident.key, last=False)

    def note_closed(self, resident: Resident) -> None:
        """A run that may still be told of something is closed, and leaves memory."""
        address = resident.address
        if self._current.get((address.namespace, address.workflow_id)) is resident:
            if len(self.closed) >= self._capacity:
                self.closed.clear()
            self.closed.add((address.namespace, address.workflow_id))

    def by_key(self, key: int) -> Resident | None:
        """The run with this key, marked as used."""
        resident = self._by_key.get(key)
        if resident is not None:
            self.hits += 1
            self._by_key.move_to_end(key)
        return resident

    def find(self, namespace: str, workflow_id: str, run_id: str) -> Resident | None:
        """The run with this id, or without one the last started of the workflow id, marked as used."""
        if run_id:
            resident = self._by_run_id.get(run_id)
            if resident is not None and (
                resident.run.namespace != namespace or resident.run.started.workflow_id != workflow_id
            ):
                return None
        else:
            resident = self._current.get((namespace, workflow_id))
        if resident is not None:
            self.hits += 1
            self._by_key.move_to_end(resident.key)
        return resident

    def remove(self, resident: Resident) -> None:
        """Forget a run, if it is here."""
        run = resident.run
        # One that was lost may be here again by now, folded anew.
        if self._by_key.get(resident.key) is resident:
            del self._by_key[resident.key]
            self._by_run_id.pop(run.run_id, None)
            name = (run.namespace, run.started.workflow_id)
            if self._current.get(name) is resident:
                del self._current[name]
        if resident.program is not None:
            # Whoever still holds the run, to query it, must not take what the program has not seen for the whole history.
            resident.drop_program()

    @property
    def room(self) -> int:
        """So many, brought in now, stay until they are used."""
        return self._capacity // 8

    def shrink(self) -> None:
        """Forget the runs least recently used, down to the capacity; those with something under way stay."""
        excess = len(self._by_key) - self._capacity
        if excess <= 0:
            return
        idle = []
        for resident in self._by_key.values():
            if not resident.in_flight and not resident.is_turn_out:
                idle.append(resident)
                if len(idle) == excess:
                    break
        for resident in idle:
            self.remove(resident)
        self.evictions += len(idle)
