"""Which connected workers have the labels that a task asks for."""

from collections.abc import Iterable, Sequence

from perdure.engine.remote_worker import RemoteWorker
from perdure.model.affinity import Affinity
from perdure.model.program import Worker

Label = tuple[str, str, str]
"""Namespace, name and text."""


class ByLabel:
    """Connected workers by their labels, so that to find one host's worker among a thousand costs no look at the
    others."""

    def __init__(self) -> None:
        self._by_label: dict[Label, dict[str, RemoteWorker]] = {}

    def add(self, worker: RemoteWorker) -> None:
        """One is connected."""
        for name, text in worker.labels.items():
            self._by_label.setdefault((worker.namespace, name, text), {})[worker.worker_id] = worker

    def remove(self, worker: RemoteWorker) -> None:
        """One is connected no more."""
        for name, text in worker.labels.items():
            label = (worker.namespace, name, text)
            workers = self._by_label.get(label, {})
            if workers.get(worker.worker_id) is worker:
                del workers[worker.worker_id]
                if not workers:
                    del self._by_label[label]

    def having(self, namespace: str, affinity: Affinity) -> Iterable[RemoteWorker]:
        """Those that have all that is required; where nothing is, those that have anything that is preferred."""
        by_label = self._by_label
        if affinity.required:
            return min((by_label.get((namespace, *label), {}) for label in affinity.required), key=len).values()
        found: dict[str, RemoteWorker] = {}
        for label in affinity.preferred:
            found.update(by_label.get((namespace, *label), {}))
        return found.values()


def best_first(workers: Iterable[Worker], affinity: Affinity) -> Sequence[Worker]:
    """Those that a task may go to and that match anything it asks for: the best match first, and among equals who has
    the least to do."""
    ranked = [
        (-liking, worker.used_slots, number, worker)
        for number, worker in enumerate(workers)
        if affinity.admits(worker.labels) and ((liking := affinity.liking(worker.labels)) or affinity.required)
    ]
    ranked.sort()
    return [worker for *_, worker in ranked]
