"""What must be true of a world that has come to rest: nothing is lost, and everybody who must know something knows it."""

from collections.abc import Callable

from tests.kernel.ledger import numbered
from tests.simulation.engine import Store
from tests.simulation.program import Program

from perdure.kernel.run import Run
from perdure.model import events as e
from perdure.model.options import ParentClose

Promise = tuple[str, Callable[[Run], bool], str]
"""What somebody was told of a run: its id, what must then be true of it for ever, and what that is in words."""


def check_rest(store: Store, forked: set[str], promises: list[Promise]) -> None:
    """Raise ``AssertionError`` if anything is lost. ``forked`` are the runs that began with a copied history."""
    families = _Families(store, forked)
    runs = families.runs
    for ledger in store.ledgers.values():
        ledger.check_whole()
        ledger.check(runs[ledger.run_id])
        assert not ledger.messages, f"messages of {ledger.run_id} have not arrived: {sorted(ledger.messages)}"
    families.check_births()
    for run in runs.values():
        if run.close is None:
            _check_wait(run, numbered(store.ledgers[families.keys[run.run_id]].records()))
            families.check_children(run)
            families.check_parent(run)
    for run_id, is_kept, what in promises:
        assert run_id in runs, f"run {run_id} was started, and is not there"
        assert is_kept(runs[run_id]), f"run {run_id} {what}, somebody was told, and it is not so"


def _check_wait(run: Run, events: list) -> None:
    """Nothing of the run's own is left undone, and its program waits for something."""
    assert run.workflow_task is None, f"nobody takes the turn of {run.run_id}: {run.workflow_task}"
    assert not run.activities, f"nobody runs the activities of {run.run_id}: {run.activities}"
    assert not run.timers and not run.external_signals and not run.external_cancels
    assert not any(update.admitted for update in run.updates.values()), f"nobody answers the updates of {run.run_id}"
    program = Program(run.started)
    program.feed(events)
    assert program.children.keys() == run.children.keys()
    assert program.waits(), f"run {run.run_id} waits for nothing"


class _Families:
    """Parents and children."""

    def __init__(self, store: Store, forked: set[str]) -> None:
        self.store = store
        self.forked = forked
        self.runs: dict[str, Run] = {}
        self.keys: dict[str, int] = {}
        for key, ledger in store.ledgers.items():
            assert ledger.shadow is not None
            self.runs[ledger.run_id] = ledger.shadow
            self.keys[ledger.run_id] = key

    def check_births(self) -> None:
        """Each child was born once, and its parent knows it by its right name."""
        born: dict[tuple[str, int], Run] = {}
        for run in self.runs.values():
            parent = run.started.parent
            if parent is None or run.started.continued_execution_run_id or run.run_id in self.forked:
                continue
            name = (parent.run_id, parent.initiated_event_id)
            if name in born:
                assert self._id_was_used_between(born[name], run), (
                    f"child {name} is both {born[name].run_id} and {run.run_id}"
                )
            else:
                born[name] = run
        for ledger in self.store.ledgers.values():
            if ledger.run_id not in self.forked:
                for event in numbered(ledger.records()):
                    name = (ledger.run_id, getattr(event, "initiated_event_id", 0))
                    self._check_birth(event, name, born.get(name))

    def _check_birth(self, event: e.Event, name: tuple[str, int], child: Run | None) -> None:
        if isinstance(event, e.StartChildWorkflowExecutionFailed) and child is not None:
            assert self._id_was_used_between(child, child), (
                f"child {name} is {child.run_id}; its parent was told that it could not start"
            )
        elif isinstance(event, e.ChildWorkflowExecutionStarted):
            told = self.runs[event.run_id]
            is_right = child is not None and told.started.first_execution_run_id == child.run_id
            assert is_right or self._is_forked(told), f"child {name} is {child}, its parent was told {told.run_id}"

    def check_children(self, run: Run) -> None:
        """Each child that an open run waits for is open: else the run would have been told."""
        for ref, child in run.children.items():
            present = [
                other.run_id
                for other in self.runs.values()
                if other.close is None
                and other.started.parent is not None
                and other.started.parent.run_id == run.run_id
                and other.started.parent.initiated_event_id == ref
            ]
            assert present, f"run {run.run_id} was not told how its child {child} ended"
            assert len(present) == 1, f"run {run.run_id} has its child {child} more than once: {present}"

    def check_parent(self, run: Run) -> None:
        """A parent that has closed has done to this child what it said it would."""
        started = run.started
        if started.parent is None or self._is_forked(run):
            return
        parent = self.runs[started.parent.run_id]
        if parent.close is not None and started.parent_close_policy is not ParentClose.ABANDON:
            assert started.parent_close_policy is ParentClose.CANCEL, f"run {run.run_id} has outlived its parent"
            # Who continues as new after it was asked to cancel goes on without the request, as in Temporal.
            is_told = run.cancel_requested or bool(started.continued_execution_run_id)
            assert is_told, f"run {run.run_id} does not know that its parent has closed"

    def _is_forked(self, run: Run | None) -> bool:
        """Whether the run, or one that it goes on for, began with a copied history."""
        while run is not None:
            if run.run_id in self.forked:
                return True
            run = self.runs.get(run.started.continued_execution_run_id)
        return False

    def _id_was_used_between(self, first: Run, run: Run) -> bool:
        """Whether somebody else has used the workflow id, so that the request to start the child can't be known as a repeat."""
        return any(
            other.run_id in self.forked or other.started.first_execution_run_id not in (first.run_id, run.run_id)
            for other in self.runs.values()
            if other.workflow_id == run.workflow_id
        )
