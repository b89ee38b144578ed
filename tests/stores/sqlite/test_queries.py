"""The statements of ``queries.sql``: all are used, all are valid, and none that must be fast walks over a table."""

import re
import sqlite3
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from perdure.stores.sqlite import connections, queries

# These look at everything, and are meant to; the others find their way by a key or an index.
WALKS = {
    "read_filter",
    "read_unindexed",
    "list_namespaces",
    "list_task_queues",
    "list_attribute_types",
    "check_file",
    "count_runs",
    "list_keys",
    "list_stray_keys",
    "count_blobs_without_run",
    "count_refs_without_blob",
    "count_unindexed_runs",
    "count_index_without_run",
    "figure_runs",
    "figure_started_days",
    "figure_closed_days",
    "figure_tasks",
    "figure_timers",
    "count_messages",
    "figure_blobs",
}


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = connections.connect_writer(str(tmp_path / "store.db"))
    connection.create_function("workflow_hash", 2, lambda namespace, workflow_id: 0, deterministic=True)
    yield connection
    connection.close()


def statements() -> dict[str, str]:
    """Every statement by its name; those for many rows as they are for three."""
    plain, many = queries._load()
    return plain | {name: rows._statement(3) for name, rows in many.items()}


def plan_of(connection: sqlite3.Connection, sql: str) -> str:
    values: dict[str, int] | list[int] = dict.fromkeys(re.findall(r":(\w+)", sql), 0)
    return "\n".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values or [0] * sql.count("?")))


def test_all_are_used() -> None:
    sources = "".join(
        source.read_text("utf-8") for source in files("perdure.stores.sqlite").iterdir() if source.name.endswith(".py")
    )
    assert [name for name in statements() if f'"{name}"' not in sources] == []


@pytest.mark.parametrize("name", sorted(statements()))
def test_none_walks_over_a_table_that_need_not(connection: sqlite3.Connection, name: str) -> None:
    sql = statements()[name]
    if sql.startswith("PRAGMA"):
        return
    plan = plan_of(connection, sql)
    scans = [
        line
        for line in plan.splitlines()
        if line.startswith("SCAN") and not re.search(r"subquery|CONSTANT|gone|new|known|wanted", line)
    ]
    assert name in WALKS or scans == [], plan


def test_any_number_of_rows_is_written_once(connection: sqlite3.Connection) -> None:
    written = 0
    for count in [0, 1, 2, 3, 4, 5, 63, 64, 65, 2_047, 2_048, 2_049, 5_000]:
        flat: list[int] = []
        for key in range(written, written + count):
            flat += (key, 1, key)
        assert queries.execute_rows(connection, "put_timers", flat) == count
        written += count
    [found] = connection.execute("SELECT count(*) FROM timers").fetchone()
    assert found == written
    drops: list[int] = [value for key in range(0, written, 2) for value in (key, 1, key)]
    assert queries.execute_rows(connection, "drop_timers", drops) == (written + 1) // 2
