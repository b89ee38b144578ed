"""Runs whose turn nobody could take when it was due: the first to wait is the first to be tried again."""

from collections import Counter
from collections.abc import Callable

from perdure.engine.remote_worker import RemoteWorker
from perdure.model.affinity import Affinity

Kind = tuple[str, str, str]
"""Namespace, task queue, and type of an activity or a workflow."""


class WaitingTurns:
    """Turns that wait for a worker. ``wake`` tries a run again, by its key."""

    def __init__(self, wake: Callable[[int], None]) -> None:
        self._wake = wake
        self._turns: dict[Kind, dict[Affinity | None, dict[int, None]]] = {}
        """Runs by what they ask of workers, and by their keys, the first to wait first."""
        self._is_waking = False

    def add(self, kind: Kind, affinity: Affinity | None, key: int) -> None:
        """One waits, unless it does already."""
        self._turns.setdefault(kind, {}).setdefault(affinity, {})[key] = None

    @property
    def counts(self) -> Counter[Kind]:
        """How many wait, by kind."""
        return Counter({kind: sum(map(len, by_affinity.values())) for kind, by_affinity in self._turns.items()})

    def worker_free(self, worker: RemoteWorker) -> None:
        """A worker has a free slot for a turn: those first whose program it has."""
        if self._is_waking or not (worker.waiting_turns or self._turns):
            return
        self._is_waking = True
        try:
            while worker.waiting_turns and len(worker.turns) < worker.turn_slots and worker.is_connected:
                self._wake(worker.waiting_turns.popleft())
            if self._turns:
                self._wake_for(worker)
        finally:
            self._is_waking = False

    def _wake_for(self, worker: RemoteWorker) -> None:
        for queue in worker.task_queues:
            for workflow_type in worker.hello.workflow_types:
                kind = (worker.namespace, queue, workflow_type)
                for affinity in list(self._turns.get(kind, ())):
                    if affinity is None or affinity.admits(worker.labels):
                        self._wake_kind(kind, affinity, lambda: len(worker.turns) < worker.turn_slots)

    def queue_free(self, namespace: str, task_queue: str, has_room: Callable[[], bool]) -> None:
        """Somebody takes turns of any workflow on a queue: try those that wait there, while there is room."""
        if self._turns and not self._is_waking:
            self._is_waking = True
            try:
                for kind in [kind for kind in self._turns if kind[0] == namespace and kind[1] == task_queue]:
                    for affinity in [one for one in self._turns[kind] if one is None or not one.required]:
                        self._wake_kind(kind, affinity, has_room)
            finally:
                self._is_waking = False

    def _wake_kind(self, kind: Kind, affinity: Affinity | None, has_room: Callable[[], bool]) -> None:
        waiting = self._turns[kind]
        keys = waiting.pop(affinity)
        for key in list(keys):
            if not has_room():
                break
            del keys[key]
            self._wake(key)
        if keys:
            # Those that were tried and still wait are behind those that were not tried.
            waiting[affinity] = {**keys, **waiting.get(affinity, {})}
        elif not waiting:
            del self._turns[kind]
