"""A store file in figures."""

import os
import sqlite3
from collections import defaultdict

from perdure.model.figures import DayFigures, Figures, RunFigures, TaskFigures
from perdure.model.options import RunStatus
from perdure.stores.sqlite.queries import query
from perdure.stores.sqlite.rows import snapshot

DAY_NS = 86_400 * 10**9


def read_figures(connection: sqlite3.Connection, path: str, now: int, days: int) -> Figures:
    """All figures at ``now`` (ns since 1970), with those of the last so many ``days``.

    Looks at every run, task and timer once; histories are not read.
    """
    first_day = (now // DAY_NS - days + 1) * DAY_NS
    with snapshot(connection):
        runs = [
            RunFigures(namespace, RunStatus(status), workflow_type, build_id, count, oldest)
            for namespace, status, workflow_type, build_id, count, oldest in connection.execute(query("figure_runs"))
        ]
        tasks = [
            TaskFigures(queue, type, bool(is_turn), started, waiting, oldest or 0)
            for queue, type, is_turn, started, waiting, oldest in connection.execute(query("figure_tasks"))
        ]
        timers, next_timer = connection.execute(query("figure_timers")).fetchone()
        (messages,) = connection.execute(query("count_messages")).fetchone()
        blobs, blob_bytes = connection.execute(query("figure_blobs")).fetchone()
        started: defaultdict[int, int] = defaultdict(int)
        closed: defaultdict[int, int] = defaultdict(int)
        wanted = {"first": first_day, "day": DAY_NS}
        for name, counts in (("figure_started_days", started), ("figure_closed_days", closed)):
            if days:
                counts.update(connection.execute(query(name), wanted))
        page_bytes, pages, free = (connection.execute(query(name)).fetchone()[0] for name in _PAGES)
    log = f"{path}-wal"
    return Figures(
        runs,
        tasks,
        [DayFigures(day, started[day], closed[day]) for day in (first_day + index * DAY_NS for index in range(days))],
        timers,
        next_timer or 0,
        messages,
        blobs,
        blob_bytes,
        pages * page_bytes,
        free * page_bytes,
        os.path.getsize(log) if os.path.exists(log) else 0,
    )


_PAGES = ("page_size", "page_count", "free_pages")
