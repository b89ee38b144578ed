"""The demo as it goes on: a live view on a terminal, a line every few seconds anywhere else."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from perdure.demo.judge import EMPTY, Kill, Standing, resumed_seconds, standing_of
from perdure.demo.ledger import Books
from perdure.demo.scenario import Order
from perdure.demo.service import Fault

SECONDS_BETWEEN_LINES = 3.0

STYLES = {
    Standing.UNSEEN: "dim",
    Standing.PAYING: "yellow",
    Standing.RESERVING: "yellow",
    Standing.SHIPPING: "cyan",
    Standing.FULFILLED: "green",
    Standing.UNDONE: "magenta",
}


@dataclass(frozen=True)
class Snapshot:
    """The demo at one moment.

    ``kills`` are those made, with the seconds until a step was resumed, None if none was yet.
    """

    elapsed_seconds: float
    standings: Counter[Standing]
    requests: int
    faults: Counter[str]
    repeats: int
    kills: Sequence[tuple[Kill, float | None]]
    kills_wanted: int
    engine_pid: int

    @property
    def orders(self) -> int:
        """How many there are."""
        return self.standings.total()

    @property
    def settled(self) -> int:
        """How many orders are fulfilled or undone."""
        return self.standings[Standing.FULFILLED] + self.standings[Standing.UNDONE]


def take_snapshot(
    books: Books,
    orders: Sequence[Order],
    kills: Sequence[Kill],
    *,
    elapsed_seconds: float,
    kills_wanted: int,
    engine_pid: int,
) -> Snapshot:
    """Where everything stands, by the ledger."""
    return Snapshot(
        elapsed_seconds=elapsed_seconds,
        standings=Counter(standing_of(order, books.orders.get(order.id, EMPTY)) for order in orders),
        requests=len(books.requests),
        faults=Counter(request.fault for request in books.requests if request.fault),
        repeats=sum(request.is_repeat for request in books.requests),
        kills=[(kill, resumed_seconds(books, kill)) for kill in kills],
        kills_wanted=kills_wanted,
        engine_pid=engine_pid,
    )


class View(Protocol):
    """Shows snapshots. A context manager, for what must be put back in the end."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def show(self, snapshot: Snapshot) -> None:
        """Show where things stand."""
        ...


def choose_view(console: Console, plain: bool) -> View:
    """The live view, if the console is a terminal and nobody asked for lines."""
    return LineView(console) if plain or not console.is_terminal else LiveView(console)


class LineView:
    """Prints a line every few seconds, and one for each kill."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._next_line = 0.0
        self._kills_shown = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def show(self, snapshot: Snapshot) -> None:
        """Print what is new."""
        for kill, resumed in snapshot.kills[self._kills_shown :]:
            if resumed is None:
                break
            self._kills_shown += 1
            number = f" {kill.engine}" if kill.what == "engine" else ""
            self._print(
                snapshot,
                f"kill {self._kills_shown}: {kill.what} process{number} ended by SIGKILL; resumed in {resumed:.2f} s",
            )
        if time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + SECONDS_BETWEEN_LINES
            undone = snapshot.standings[Standing.UNDONE]
            self._print(
                snapshot,
                f"{snapshot.settled} of {snapshot.orders} orders settled, {undone} of them undone; "
                f"{snapshot.requests:,} requests, {snapshot.faults.total():,} went wrong",
            )

    def _print(self, snapshot: Snapshot, text: str) -> None:
        self._console.print(f"{snapshot.elapsed_seconds:5.1f} s  {text}", highlight=False, soft_wrap=True)


class LiveView:
    """A panel that is drawn anew with each snapshot."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, refresh_per_second=8, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def show(self, snapshot: Snapshot) -> None:
        """Draw it."""
        self._live.update(draw(snapshot))


def draw(snapshot: Snapshot) -> RenderableType:
    """The live view's panel."""
    columns = Table.grid(padding=(0, 4))
    columns.add_row(_orders_table(snapshot), _service_table(snapshot), _kills_table(snapshot))
    bar = Table.grid(padding=(0, 1), expand=True)
    bar.add_column(ratio=1)
    bar.add_column(justify="right")
    bar.add_row(
        ProgressBar(total=max(snapshot.orders, 1), completed=snapshot.settled),
        Text(f"{snapshot.settled} of {snapshot.orders} orders settled, {snapshot.elapsed_seconds:.0f} s"),
    )
    return Panel(Group(bar, Text(), columns), title="Perdure: orders that outlive their engine", padding=(1, 2))


def _table(title: str, *, value_justify: bool = True) -> Table:
    table = Table(box=None, padding=(0, 1), show_header=False, title=title, title_justify="left", title_style="bold")
    table.add_column()
    table.add_column(justify="right" if value_justify else "left")
    return table


def _orders_table(snapshot: Snapshot) -> Table:
    table = _table("Orders, by the ledger")
    for standing in Standing:
        table.add_row(Text(standing, style=STYLES[standing]), str(snapshot.standings[standing]))
    return table


def _service_table(snapshot: Snapshot) -> Table:
    table = _table("The service")
    table.add_row("requests", f"{snapshot.requests:,}")
    for fault in Fault:
        table.add_row(Text(fault, style="red"), f"{snapshot.faults[fault]:,}")
    table.add_row(Text("repeats, without effect", style="green"), f"{snapshot.repeats:,}")
    return table


def _kills_table(snapshot: Snapshot) -> Table:
    table = _table(f"Kills: {len(snapshot.kills)} of {snapshot.kills_wanted}", value_justify=False)
    for number, (_, resumed) in enumerate(snapshot.kills[-6:], max(1, len(snapshot.kills) - 5)):
        table.add_row(str(number), "starting again ..." if resumed is None else f"resumed in {resumed:.2f} s")
    table.add_row(Text("now", style="dim"), Text(f"pid {snapshot.engine_pid}", style="dim"))
    return table
