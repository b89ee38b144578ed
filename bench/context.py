"""What every section is given: where to work, how much to measure, against whom, and how to start a process."""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from bench.processes import Child
from bench.results import Section
from bench.scale import Scale


class View(Protocol):
    """What someone sees while it is measured."""

    def doing(self, what: str) -> None:
        """Something begins."""

    def progress(self, done: float, total: float) -> None:
        """It has come so far."""

    def warn(self, what: str) -> None:
        """Something to know about the results."""

    def section_done(self, section: Section) -> None:
        """A section has been measured."""


class MeasuredPeer(Protocol):
    """A peer that is running; see bench/peers."""

    def throughput(self, runs: int, activities: int, concurrency: int) -> Any: ...
    def alone(self, runs: int) -> Any: ...


@dataclass(frozen=True)
class Peer:
    """An engine to compare with. `open` gives a context manager of a `MeasuredPeer`."""

    name: str
    title: str
    concurrencies: Sequence[int]
    open: Any


@dataclass(frozen=True)
class Bench:
    """One run of the bench."""

    folder: Path
    scale: Scale
    view: View
    peers: Sequence[Peer] = ()
    absent: dict[str, str] = field(default_factory=dict)
    """Why a peer is not measured, by its name."""

    @contextmanager
    def fresh_folder(self) -> Iterator[Path]:
        """An empty folder on the disk that is measured."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def child(self, work: str, folder: Path, prefix: Sequence[str] = (), **options: Any) -> Iterator[Child]:
        """A measured process, killed in the end; see `Child`."""
        with Child(work, options, folder, self.folder / "compiled", self.view.progress, prefix) as child:
            yield child

    def measure(self, work: str, within_seconds: float, **options: Any) -> dict[str, Any]:
        """What a measured process of its own finds, over a file of its own."""
        with self.fresh_folder() as folder, self.child(work, folder, **options) as child:
            return child.hear("result", within_seconds)
