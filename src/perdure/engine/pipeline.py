"""From decisions to transactions: commits gather in a batch while the batch before is being written.

A decision that hands a turn to a worker elsewhere is withheld for a moment: the end of that turn most often follows at
once, and then both are one commit, encoded, written and acted on once. Whatever else happens to the run ends that
moment, and so does a short time.

At most one batch is in the store's hands. When it is done the next one goes at once, and only then do the effects of
the first happen, so the store is never idle while there is work. When a batch fails, everything in it is undone and
everything decided since on top of it too: there is no telling which later decision stood on an earlier one.
"""

# Else the annotations of inner functions would be worked out each time that the outer one is called.
from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from perdure.engine import encoding
from perdure.engine.ports import RunRow, Store, TaskRow, Write
from perdure.engine.resident import Resident
from perdure.engine.search.attributes import Attributes
from perdure.kernel import lifecycle
from perdure.kernel.commit import Commit, Rejection
from perdure.model.errors import InvariantError, PerdureError, StoreError
from perdure.model.events import Event
from perdure.model.program import ActivityHost, ActivityTask, numbered

log = logging.getLogger("perdure.engine")

Outcome = Rejection | PerdureError | None
"""What became of a request: None when it is recorded."""

Done = Callable[[Outcome], None]

Start = tuple[ActivityHost, ActivityTask]
"""An attempt that starts, and who has the slot for it."""


TURN_SECONDS = 0.001
"""How long the first commit of a batch waits for the end of a turn that is in hand elsewhere. Quick turns take less, and
then there is one transaction instead of two, one after the other."""


WITHHELD_SECONDS = 0.25
"""How long a decision waits at most for the turn that it handed out; and no longer than twice what turns take lately. Who
asked for it waits as long for the answer. Where nothing else is under way, or turns take longer anyway, it waits for
``TURN_SECONDS`` alone."""

TICK_SECONDS = 0.0005
"""uvloop counts in whole milliseconds, and calls what is due in less than half of one at once: again and again, if that
were too early."""

TURNS = 16
"""What turns take lately is measured over about so many."""


class Effect(msgspec.Struct, eq=False, gc=False):
    """What to do once a commit is written: what the commit itself says, start ``starts``, and call ``done``."""

    resident: Resident
    commit: Commit
    starts: list[Start] | None
    done: Done | None
    until: float = 0.0
    """While it is withheld: for how long, by the event loop's clock."""


class Observer(Protocol):
    """Who watches the transactions, to count and to time them. Asked once a batch, on the engine's thread; must not
    raise."""

    def sent(self) -> None:
        """The store has a batch to write."""
        ...

    def written(self, effects: Sequence[Effect]) -> None:
        """That batch is durable, and its effects are due."""
        ...

    def failed(self) -> None:
        """That batch could not be written, and is undone."""
        ...


class Pipeline:
    """``act`` is called for each effect of a batch that is written, in order; ``undone`` with all effects that never
    will be."""

    def __init__(
        self,
        store: Store,
        blob_threshold_bytes: int,
        attributes: Attributes,
        act: Callable[[Sequence[Effect]], None],
        undone: Callable[[Sequence[Effect], StoreError], None],
    ) -> None:
        self._store = store
        self._blob_threshold_bytes = blob_threshold_bytes
        self._attributes = attributes
        self._act = act
        self._undone = undone
        self._loop = asyncio.get_running_loop()
        self._batch: list[Write] = []
        self._effects: list[Effect] = []
        self._writing: list[Effect] = []
        self._acting: list[Effect] = []
        self._is_writing = False
        self._flush_scheduled = False
        self._later: asyncio.TimerHandle | None = None
        self._withheld: dict[int, Effect] = {}
        """By their runs' keys."""
        self._turn_seconds = 0.0
        self._releasing: asyncio.Handle | None = None
        self._release_due = 0.0
        """When, by the event loop's clock. uvloop's handle does not know if that is at once."""
        self._settled: asyncio.Future[None] | None = None
        self.observer: Observer | None = None

    @property
    def is_idle(self) -> bool:
        """Whether everything is written."""
        return not (self._batch or self._is_writing or self._withheld)

    # --- decisions that wait for a turn

    def withhold(self, resident: Resident, commit: Commit, done: Done | None) -> None:
        """Keep a decision until the turn that it handed out has ended (``turn_ended``), or for a moment. Nothing may hang
        on it but ``done``, and no other run's decision that has to be in the same transaction."""
        seconds = 2 * self._turn_seconds
        if seconds > WITHHELD_SECONDS or not (self._withheld or self._batch or self._is_writing):
            seconds = 0.0
        now = self._loop.time()
        until = now + TURN_SECONDS + seconds
        resident.turn_sent = now
        resident.in_flight += 1
        resident.withheld = self._withheld[resident.key] = Effect(resident, commit, None, done, until)
        if self._releasing is None or until < self._release_due:
            self._release_at(until)

    def turn_ended(self, resident: Resident) -> Effect | None:
        """The turn that a decision handed out has ended. If that decision is still withheld, it is the caller's now."""
        if resident.turn_sent:
            took_seconds = self._loop.time() - resident.turn_sent
            self._turn_seconds += (took_seconds - self._turn_seconds) / TURNS
            resident.turn_sent = 0.0
        return self._take_withheld(resident) if resident.withheld is not None else None

    def release(self, resident: Resident) -> None:
        """Put the decision that was withheld, if there is one, into the next batch."""
        if resident.withheld is not None:
            effect = self._take_withheld(resident)
            self.add(resident, effect.commit, None, effect.done)
            if self._later is not None and not self._flush_scheduled:
                # It has waited for its turn already.
                self._flush_soon()

    def _take_withheld(self, resident: Resident) -> Effect:
        resident.withheld = None
        resident.in_flight -= 1
        return self._withheld.pop(resident.key)

    def _release_at(self, due: float) -> None:
        if self._releasing is not None:
            self._releasing.cancel()
        self._release_due = due
        self._releasing = self._loop.call_at(due, self._release_late)

    def _release_late(self) -> None:
        self._releasing = None
        due = self._loop.time() + TICK_SECONDS
        for effect in list(self._withheld.values()):
            if effect.until <= due:
                self.release(effect.resident)
        if self._withheld:
            self._release_at(min(effect.until for effect in self._withheld.values()))

    # --- batches

    def add(self, resident: Resident, commit: Commit, starts: list[Start] | None, done: Done | None) -> None:
        """Put a decision into the next batch."""
        if resident.withheld is not None:
            self.release(resident)
        commit.seal()
        key = resident.key
        records, blobs = encoding.encode(commit.records, self._blob_threshold_bytes)
        resident.commits += 1
        resident.in_flight += 1
        resident.history_bytes += len(records)
        write = Write(key, resident.commits, records)
        if blobs:
            write.blobs = blobs
        if resident.commits == 1:
            write.created = row_of(resident)
            if resident.run.search_attributes:
                self._attributes.put(write, resident.run)
        elif commit.is_visible:
            write.changed = row_of(resident)
            if commit.is_found_by_other_values:
                self._attributes.put(write, resident.run)
        if commit.tasks:
            tasks, done_refs = [], []
            for ref, task in commit.tasks.items():
                if task is None:
                    done_refs.append(ref)
                else:
                    placement = b"" if task.placement is None else encoding.encode_value(task.placement)
                    tasks.append(TaskRow(key, ref, task.task_queue, task.type, task.started, task.due, placement))
            write.tasks = tasks
            write.tasks_done = done_refs
        if commit.timers:
            write.timers = [timer for timer, is_set in commit.timers.items() if is_set]
            write.timers_done = [timer for timer, is_set in commit.timers.items() if not is_set]
        if commit.messages:
            write.messages = [
                (ref, encoding.encode_value(message)) for ref, message in commit.messages.items() if message is not None
            ]
            write.messages_done = [ref for ref, message in commit.messages.items() if message is None]
        self._batch.append(write)
        self._effects.append(Effect(resident, commit, starts, done))
        if not self._flush_scheduled and not self._is_writing:
            if starts is None and resident.is_turn_out:
                self._flush_later()
            else:
                self._flush_soon()

    @property
    def commits_under_way(self) -> int:
        """How many decisions are not written yet."""
        return len(self._writing) + len(self._effects)

    def forget_message(self, key: int, ref: int) -> None:
        """A message need not be sent any more. If this is not written the message is sent again, which changes
        nothing."""
        self._batch.append(Write(key, 0, messages_done=(ref,)))
        if not self._flush_scheduled and not self._is_writing:
            self._flush_soon()

    def when_durable(self, resident: Resident, then: Callable[[PerdureError | None], None]) -> None:
        """Call back once everything decided on this run so far is written, or is undone."""
        if not resident.in_flight:
            then(None)
            return
        self.release(resident)
        # What is acted on now is written, but its effects are due in order: one may ask about a run that comes later.
        for effects in (self._effects, self._writing, self._acting):
            for effect in reversed(effects):
                if effect.resident is resident:
                    effect.done = _both(effect.done, then)
                    return
        raise InvariantError(
            f"Run {resident.run.run_id} has {resident.in_flight} commits under way that nobody writes."
        )

    def events_under_way(self, resident: Resident, after: int) -> list[Event]:
        """The run's events with numbers above ``after`` that are decided but not written."""
        return [
            event
            for effect in (*self._writing, *self._effects, *self._withheld.values())
            if effect.resident is resident
            for event in numbered(effect.commit.records)
            if event.id > after
        ]

    def starts_under_way(self) -> list[ActivityTask]:
        """The attempts whose starts are decided, and that no worker has yet."""
        effects = (*self._acting, *self._writing, *self._effects)
        return [task for effect in effects for _, task in effect.starts or ()]

    async def settled(self) -> None:
        """Wait until everything decided so far is written, or has failed."""
        while not self.is_idle:
            for effect in list(self._withheld.values()):
                self.release(effect.resident)
            if self._settled is None or self._settled.done():
                self._settled = self._loop.create_future()
            await self._settled

    def _flush_soon(self) -> None:
        # At the end of this round of the event loop, so that one transaction takes all that the round decides.
        self._flush_scheduled = True
        self._loop.call_soon(self._flush)

    def _flush_later(self) -> None:
        # The turn's own commit follows as soon as its worker, in another process, has taken it: one transaction for both.
        if self._later is None:
            self._later = self._loop.call_later(TURN_SECONDS, self._flush)

    def _flush(self) -> None:
        self._flush_scheduled = False
        if self._later is not None:
            self._later.cancel()
            self._later = None
        if not self._batch or self._is_writing:
            return
        self._is_writing = True
        self._attributes.flushed()
        batch, self._batch = self._batch, []
        self._writing, self._effects = self._effects, []
        if self.observer is not None:
            self.observer.sent()
        self._store.write(batch, self._written)

    def _written(self, error: StoreError | None) -> None:
        self._is_writing = False
        effects, self._writing = self._writing, []
        if error is None:
            self._attributes.written()
            if self.observer is not None:
                self.observer.written(effects)
            self._flush()
            self._acting = effects
            self._act(effects)
            self._acting = []
        else:
            log.error("A batch could not be written, and is undone: %s", error)
            if self.observer is not None:
                self.observer.failed()
            self._attributes.undone()
            undone = [*effects, *self._effects, *self._withheld.values()]
            self._effects = []
            for effect in self._withheld.values():
                effect.resident.withheld = None
            self._withheld.clear()
            self._batch = []
            self._undone(undone, error)
        if self._settled is not None and not self._settled.done():
            self._settled.set_result(None)


def all_of(first: Done | None, second: Done | None) -> Done | None:
    """Both hear of it."""
    if first is None or second is None:
        return first or second

    def tell(outcome: Outcome) -> None:
        first(outcome)
        second(outcome)

    return tell


def _both(first: Done | None, then: Callable[[PerdureError | None], None]) -> Done:
    def both(outcome: Outcome) -> None:
        if first is not None:
            first(outcome)
        then(outcome if isinstance(outcome, PerdureError) else None)

    return both


def row_of(resident: Resident) -> RunRow:
    """What lists show of a run."""
    run = resident.run
    started = run.started
    return RunRow(
        resident.key,
        run.namespace,
        started.workflow_id,
        run.run_id,
        started.workflow_type,
        started.task_queue,
        run.status,
        started.time,
        run.close.time if run.close is not None else 0,
        run.next_event_id - 1,
        encoding.encode_value(run.memo) if run.memo else b"",
        encoding.encode_value(run.search_attributes) if run.search_attributes else b"",
        encoding.encode_value(lifecycle.ancestry(started)) if started.parent is not None else b"",
        run.build_id,
    )
