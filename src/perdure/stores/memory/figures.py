"""A disk in figures."""

from collections import Counter, defaultdict

from perdure.model.figures import DayFigures, Figures, RunFigures, TaskFigures
from perdure.model.options import RunStatus
from perdure.stores.memory.disk import Disk

DAY_NS = 86_400 * 10**9

Kind = tuple[str, RunStatus, str, str]
"""Namespace, status, workflow type and build."""


def figures_of(disk: Disk, now: int, days: int) -> Figures:
    """All figures at ``now`` (ns since 1970), with those of the last so many ``days``. It takes no bytes of any file."""
    first_day = (now // DAY_NS - days + 1) * DAY_NS
    starts: defaultdict[Kind, list[int]] = defaultdict(list)
    started, closed = Counter[int](), Counter[int]()
    for row in disk.runs.values():
        starts[row.namespace, row.status, row.workflow_type, row.build_id].append(row.start_time)
        started[row.start_time // DAY_NS * DAY_NS] += 1
        if row.close_time:
            closed[row.close_time // DAY_NS * DAY_NS] += 1
    return Figures(
        [RunFigures(*kind, len(starts[kind]), min(starts[kind])) for kind in sorted(starts)],
        _tasks(disk),
        [DayFigures(day, started[day], closed[day]) for day in (first_day + index * DAY_NS for index in range(days))],
        len(disk.timers),
        disk.timers[0].due if disk.timers else 0,
        sum(map(len, disk.messages.values())),
        len(disk.blobs),
        sum(map(len, disk.blobs.values())),
        0,
        0,
        0,
    )


def _tasks(disk: Disk) -> list[TaskFigures]:
    started, waiting = Counter[tuple[str, bool, str]](), defaultdict[tuple[str, bool, str], list[int]](list)
    for key, tasks in disk.tasks.items():
        for task in tasks.values():
            kind = (task.task_queue, task.ref != 0, task.type)
            if task.started:
                started[kind] += 1
            else:
                waiting[kind].append(key)
    return [
        TaskFigures(
            queue,
            type,
            not is_activity,
            started[queue, is_activity, type],
            len(held := waiting.get((queue, is_activity, type), [])),
            min(held, default=0),
        )
        for queue, is_activity, type in sorted({*started, *waiting})
    ]
