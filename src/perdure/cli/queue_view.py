"""Task queues, as tables and as JSON."""

from collections.abc import Sequence
from typing import Any

from perdure.app.setting_kinds import duration_text
from perdure.cli.output import BAD, FAINT, Cell, Column, Output
from perdure.cli.times import TimeStyle, duration
from perdure.cli.values import jsonable, visible
from perdure.model.task_queues import Poller, TaskQueue, TaskQueueDescription


def queue_json(found: TaskQueueDescription) -> dict[str, Any]:
    """A queue as a program sees it: its settings, and how it stands."""
    shown: dict[str, Any] = jsonable(found.settings)
    return {
        **shown,
        "is_served": found.is_served,
        "backlog": found.backlog,
        "oldest_wait_ns": found.oldest_wait_ns,
        "running": found.running,
        "running_by_key": dict(found.running_by_key),
        "holds": {str(reason): count for reason, count in found.holds.items()},
        "breakers": jsonable(list(found.breakers)),
        "added_per_second": found.added_per_second,
        "started_per_second": found.started_per_second,
        "pollers": jsonable(list(found.pollers)),
    }


def print_queues(output: Output, found: Sequence[TaskQueueDescription]) -> None:
    """One line for each queue."""
    columns = [
        Column("QUEUE", flexible=True),
        Column("WAITING", right=True),
        Column("OLDEST", right=True),
        Column("RUNNING", right=True),
        Column("SERVED"),
        Column("LIMITS", flexible=True),
        Column("PAUSED", flexible=True),
    ]
    output.table(columns, [_row(each) for each in found])


def print_queue(output: Output, found: TaskQueueDescription) -> None:
    """All about one queue."""
    settings, style = found.settings, TimeStyle()
    output.line(visible(settings.name))
    output.fields(
        [
            ("waiting", str(found.backlog)),
            ("oldest", duration(found.oldest_wait_ns) if found.backlog else ""),
            ("running", str(found.running)),
            ("rates", f"{found.added_per_second:.1f} added and {found.started_per_second:.1f} started a second"),
            ("served", "yes" if found.is_served else ("no worker serves it", BAD)),
            ("paused", _paused(settings)),
            ("limits", _limits(settings) or "none"),
            ("ageing", duration_text(settings.ageing_ns)),
        ]
    )
    if found.holds:
        output.heading("Waits for")
        output.fields([(str(reason).replace("_", " "), str(count)) for reason, count in found.holds.items()])
    if found.running_by_key:
        output.heading("Running by key")
        output.fields([(visible(key), str(count)) for key, count in found.running_by_key.items()])
    if found.pollers:
        output.heading("Workers")
        output.fields([(visible(each.identity), _poller(each)) for each in found.pollers])
    if found.breakers:
        output.heading("Circuit breakers")
        output.fields(
            [
                (
                    visible(each.activity_type),
                    f"{each.state}, {each.recent_failures} failures"
                    + (f", {style.until(each.open_until)}" if each.open_until else ""),
                )
                for each in found.breakers
            ]
        )


def _poller(poller: Poller) -> str:
    slots = (
        f"{poller.running} of {poller.activity_slots} slots" if poller.activity_slots else f"{poller.running} running"
    )
    return f"{slots}, build {visible(poller.build_id)}"


def _row(found: TaskQueueDescription) -> list[Cell]:
    settings = found.settings
    return [
        visible(settings.name),
        str(found.backlog),
        duration(found.oldest_wait_ns) if found.backlog else "",
        str(found.running),
        "yes" if found.is_served else ("no", BAD if found.backlog else FAINT),
        _limits(settings),
        _paused(settings),
    ]


def _limits(settings: TaskQueue) -> str:
    per = duration_text(settings.per_ns)
    named = (
        (settings.concurrency, f"{settings.concurrency} at once"),
        (settings.rate, f"{settings.rate} per {per}"),
        (settings.concurrency_per_key, f"{settings.concurrency_per_key} at once per key"),
        (settings.rate_per_key, f"{settings.rate_per_key} per {per} and key"),
    )
    return ", ".join(text for limit, text in named if limit)


def _paused(settings: TaskQueue) -> str:
    return (visible(settings.pause_reason) or "yes") if settings.is_paused else ""
