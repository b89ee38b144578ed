"""What someone sees at the terminal: what is being measured, how far it has come, and in the end the tables."""

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table as RichTable
from rich.text import Text

from bench.page import summary_row
from bench.results import Figure, Section, Table

STYLES = {"missed": "bold red", "reached": "green", "aim reached": "bold green", "": ""}


class TerminalView:
    """A bar on a terminal; a line for each thing that begins anywhere else."""

    def __init__(self, console: Console, sections: int) -> None:
        self._console = console
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._all = self._bar.add_task("sections", total=sections)
        self._now = self._bar.add_task("starting", total=None)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bar.stop()

    def doing(self, what: str) -> None:
        """Something begins."""
        self._bar.reset(self._now, description=what, total=None)
        if not self._console.is_terminal:
            self._console.print(what, soft_wrap=True, highlight=False, markup=False)

    def progress(self, done: float, total: float) -> None:
        """It has come so far."""
        self._bar.update(self._now, completed=done, total=total)

    def warn(self, what: str) -> None:
        """Something to know about the results."""
        self._console.print(Text(what, style="yellow"), soft_wrap=True)

    def section_done(self, section: Section) -> None:
        """A section has been measured: show it."""
        self._bar.advance(self._all)
        show_section(self._console, section)


def show_section(console: Console, section: Section) -> None:
    """Its tables."""
    console.print()
    console.print(Text(f"{section.title} ({section.took_seconds:.0f} s)", style="bold"))
    for table in section.tables:
        console.print(_rich(table))


def show_summary(console: Console, sections: Sequence[Section]) -> None:
    """Every figure that something was asked of, and what limits those that missed it."""
    figures = [figure for section in sections for figure in section.figures if figure.wanted is not None]
    if not figures:
        return
    table = RichTable("", "measured", "wanted", "", title="In short", title_justify="left", title_style="bold")
    for figure in figures:
        *cells, verdict = summary_row(figure)
        table.add_row(*cells, Text(verdict, style=STYLES[verdict]))
    console.print()
    console.print(table)
    for figure in figures:
        if not figure.is_reached:
            console.print(_limit(figure), soft_wrap=True)


def _limit(figure: Figure) -> Text:
    return Text.assemble((f"{figure.label}: ", "bold"), figure.limit)


def _rich(table: Table) -> RichTable:
    shown = RichTable(title=table.title or None, title_justify="left", title_style="italic")
    for number, column in enumerate(table.columns):
        shown.add_column(column, justify="left" if number == 0 else "right")
    for row in table.rows:
        shown.add_row(*map(Text, row))
    return shown
