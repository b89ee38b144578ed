"""Loads ``queries.sql``: SQL is read, reviewed and measured as SQL, and called by name."""

import re
import sqlite3
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

_START = re.compile(r"^-- (?:name: (\w+)|rows: (\w+), (\d+))$", re.MULTILINE)

# A statement for rows is prepared once for each power of two up to this; what is over is another statement. SQLite's
# limit for values in one statement, 32,766, allows for 2,520 rows of the widest table.
_LARGEST = 2048


class _Rows:
    """A statement that takes many rows, in one step of SQLite.

    The number of rows is rounded up to a power of two and a LIMIT ends the table before the filling, which costs
    nearly nothing. So any number of rows is one statement that is prepared already.
    """

    def __init__(self, sql: str, width: int) -> None:
        self._sql = sql
        self._row = f"({', '.join('?' * width)})"
        self._statements: dict[int, str] = {}
        self.width = width

    def execute(self, connection: sqlite3.Connection, flat: list[Any]) -> sqlite3.Cursor:
        """Run it for rows whose values lie one behind the other. The list is used up."""
        count = len(flat) // self.width
        size = 1 << (count - 1).bit_length()
        flat += [0] * ((size - count) * self.width)
        flat.append(count)
        return connection.execute(self._statements.get(size) or self._statement(size), flat)

    def _statement(self, size: int) -> str:
        rows = ", ".join([self._row] * size)
        sql = self._statements[size] = self._sql.replace(":rows", f"(SELECT * FROM (VALUES {rows}) LIMIT ?)")
        return sql


@cache
def _load() -> tuple[dict[str, str], dict[str, _Rows]]:
    text = (files(__package__) / "queries.sql").read_text("utf-8")
    plain: dict[str, str] = {}
    many: dict[str, _Rows] = {}
    starts = list(_START.finditer(text))
    for start, following in zip(starts, [*starts[1:], None], strict=True):
        body = text[start.end() : following.start() if following else len(text)]
        sql = "\n".join(line for line in body.strip().splitlines() if not line.startswith("--")).strip().rstrip(";")
        name, rows_name, width = start.groups()
        if name:
            plain[name] = sql
        else:
            many[rows_name] = _Rows(sql, int(width))
    return plain, many


def query(name: str) -> str:
    """The statement of that name."""
    return _load()[0][name]


def execute_rows(connection: sqlite3.Connection, name: str, flat: list[Any]) -> int:
    """Run the statement of that name for rows whose values lie one behind the other; how many rows it changed."""
    return sum(cursor.rowcount for cursor in _execute(connection, name, flat))


def fetch_rows(connection: sqlite3.Connection, name: str, flat: list[Any]) -> list[tuple[Any, ...]]:
    """The same for a statement that selects; what it found."""
    return [row for cursor in _execute(connection, name, flat) for row in cursor]


def _execute(connection: sqlite3.Connection, name: str, flat: list[Any]) -> Iterator[sqlite3.Cursor]:
    rows = _load()[1][name]
    most = _LARGEST * rows.width
    if 0 < len(flat) <= most:
        yield rows.execute(connection, flat)
    else:
        for start in range(0, len(flat), most):
            yield rows.execute(connection, flat[start : start + most])
