"""Printing: tables, fields and colour on a terminal; plain lines of full width into a pipe; JSON for programs.

A terminal is what standard output says it is, or ``FORCE_COLOR``; ``NO_COLOR`` and ``TERM=dumb`` take the colours away.
What goes into a pipe does not depend on any width, so that it can be searched and compared.
"""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from perdure.cli.values import json_bytes
from perdure.model.options import RunStatus

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

STATUS_STYLES = {
    RunStatus.RUNNING: "cyan",
    RunStatus.PAUSED: "yellow",
    RunStatus.COMPLETED: "green",
    RunStatus.FAILED: "bold red",
    RunStatus.TIMED_OUT: "red",
    RunStatus.CANCELED: "magenta",
    RunStatus.TERMINATED: "magenta",
    RunStatus.CONTINUED_AS_NEW: "blue",
}
BAD = "bold red"
GOOD = "green"
FAINT = "dim"
STRONG = "bold"

_GAP = "  "
_LEAST_FLEXIBLE = 16


class Column(msgspec.Struct, frozen=True):
    """A table's column. On a narrow terminal a ``flexible`` one is folded, the others keep their width.

    ``suffix`` ends every cell of it; on a terminal the header says it once.
    """

    header: str
    flexible: bool = False
    right: bool = False
    suffix: str = ""


Cell = str | tuple[str, str]
"""A cell's text, or the text and its style on a terminal."""


class Output:
    """Standard output, as what it is."""

    def __init__(self) -> None:
        self._console = _console()

    @property
    def is_terminal(self) -> bool:
        """Whether a person looks at it."""
        return self._console is not None

    @property
    def width(self) -> int:
        """Of the terminal; a pipe has no limit."""
        return self._console.width if self._console is not None else 1 << 30

    def line(self, *parts: Cell) -> None:
        """One line of parts; a terminal folds it."""
        if self._console is None:
            _write("".join(map(_text, parts)).rstrip() + "\n")
        else:
            from rich.text import Text

            self._console.print(Text.assemble(*parts, overflow="fold"))

    def table(self, columns: Sequence[Column], rows: Sequence[Sequence[Cell]], *, with_header: bool = True) -> None:
        """Rows under a header. Where a terminal is too narrow for them, each becomes a line and what folds below it.

        ``with_header`` False continues a table; a terminal gets the header again, for its columns may be other ones.
        """
        if self._console is None:
            _plain_table(columns, _with_suffixes(columns, rows), with_header)
        elif _least_width(columns, rows) > self._console.width:
            self._stacked(_with_suffixes(columns, rows))
        else:
            self._aligned(columns, rows)

    def _aligned(self, columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> None:
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, padding=(0, len(_GAP), 0, 0), pad_edge=False, header_style=STRONG)
        for column in columns:
            table.add_column(
                _titled(column),
                no_wrap=not column.flexible,
                overflow="fold",
                justify="right" if column.right else "left",
            )
        for row in rows:
            table.add_row(*(Text.assemble(cell, overflow="fold") for cell in row))
        self.render(table)

    def _stacked(self, rows: Sequence[Sequence[Cell]]) -> None:
        for first, *others in rows:
            self.line((_text(first), STRONG))
            self.fields([("", [part for cell in others if _text(cell) for part in (cell, _GAP)])])

    def render(self, renderable: "RenderableType") -> None:
        """Something made for the terminal."""
        assert self._console is not None
        self._console.print(renderable)

    def heading(self, text: str) -> None:
        """What the following fields are about, after an empty line."""
        self.line()
        self.line((text, STRONG))

    def fields(self, fields: Sequence[tuple[str, Cell | Sequence[Cell]]]) -> None:
        """Names and values, one below the other; those without a value are left out."""
        shown = [(name, parts) for name, value in fields if any(map(_text, parts := _parts(value)))]
        width = max((len(name) for name, _ in shown), default=0)
        indent = f"  {{:<{width}}}  " if width else "  {}"
        if self._console is None:
            for name, parts in shown:
                _write(f"{indent.format(name)}{''.join(map(_text, parts))}".rstrip() + "\n")
            return
        from rich.table import Table
        from rich.text import Text

        grid = Table.grid()
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        for name, parts in shown:
            grid.add_row(Text(indent.format(name), FAINT), Text.assemble(*parts, overflow="fold"))
        self.render(grid)

    def json(self, value: Any, *, indented: bool = False) -> None:
        """One JSON value and a line end, in UTF-8 whatever the locale (RFC 8259, section 8.1)."""
        sys.stdout.flush()
        sys.stdout.buffer.write(json_bytes(value, indented=indented) + b"\n")


def note(text: str) -> None:
    """Tell a person something that is not part of the answer."""
    sys.stderr.write(f"{text}\n")


@contextmanager
def progress(description: str, unit: Callable[[int], str]) -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error, if that is a terminal.

    Args:
        description: what is going on.
        unit: writes an amount.

    Returns:
        A function to call with how much is done, and of how much.
    """
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[amount]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(description, total=None, amount="")

        def show(done: int, total: int) -> None:
            # What is read may have grown since it was measured.
            total = max(done, total)
            bar.update(task, completed=done, total=total, amount=f"{unit(done)} of {unit(total)}")

        yield show


@contextmanager
def busy(text: str) -> Iterator[Callable[[str], None] | None]:
    """A line on standard error that says what is waited for, and for how long, if that is a terminal.

    Returns:
        A function to call with what the line shall say from now on; None where nobody looks.
    """
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(text, total=None)
        yield lambda shown: bar.update(task, description=shown)


def _console() -> "Console | None":
    if not sys.stdout.isatty() and not os.environ.get("FORCE_COLOR"):
        return None
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False)


def _titled(column: Column) -> str:
    return f"{column.header} ({column.suffix})" if column.suffix else column.header


def _with_suffixes(columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> Sequence[Sequence[Cell]]:
    if not any(column.suffix for column in columns):
        return rows
    return [[_ended(cell, column.suffix) for column, cell in zip(columns, row, strict=True)] for row in rows]


def _ended(cell: Cell, suffix: str) -> Cell:
    return cell + suffix if isinstance(cell, str) else (cell[0] + suffix, cell[1])


def _least_width(columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> int:
    """What a table needs before it becomes unreadable."""
    widths = _widths([[_titled(column) for column in columns], *rows])
    least = (
        min(width, _LEAST_FLEXIBLE) if column.flexible else width for column, width in zip(columns, widths, strict=True)
    )
    return sum(least) + len(_GAP) * (len(columns) - 1)


def _widths(rows: Sequence[Sequence[Cell]]) -> list[int]:
    from rich.cells import cell_len

    return [max(cell_len(_text(cell)) for cell in cells) for cells in zip(*rows, strict=True)]


def _plain_table(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], with_header: bool) -> None:
    from rich.cells import cell_len

    header: list[Cell] = [column.header for column in columns]
    lines = [header, *rows] if with_header else rows
    widths = _widths(lines)
    for line in lines:
        padded = []
        for column, text, width in zip(columns, map(_text, line), widths, strict=True):
            space = " " * (width - cell_len(text))
            padded.append(space + text if column.right else text + space)
        _write(_GAP.join(padded).rstrip() + "\n")


def _parts(value: Cell | Sequence[Cell]) -> Sequence[Cell]:
    return value if isinstance(value, list) else [value]  # type: ignore[list-item]  # a tuple is one cell with its style


def _text(cell: Cell) -> str:
    return cell if isinstance(cell, str) else cell[0]


def _write(text: str) -> None:
    sys.stdout.write(text)
