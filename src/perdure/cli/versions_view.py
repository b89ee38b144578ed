"""Builds of the code that open runs are on, as a table and as JSON."""

from collections.abc import Sequence
from typing import Any

import msgspec

from perdure.cli.output import FAINT, GOOD, Column, Output
from perdure.cli.times import TimeStyle, rfc3339
from perdure.cli.values import visible
from perdure.engine.figures import RunFigures
from perdure.model.options import RunStatus


class Version(msgspec.Struct, frozen=True):
    """The open runs of one workflow type on one build; an empty ``build_id`` is for those before their first turn.

    ``is_here``: whether the app that was named is that build; None if none was.
    """

    build_id: str
    workflow_type: str
    open: int
    paused: int
    oldest_start: int
    is_here: bool | None


def versions_of(runs: Sequence[RunFigures], here: str | None) -> list[Version]:
    """By build and type, the build with the oldest run first."""
    groups: dict[tuple[str, str], list[RunFigures]] = {}
    for run in runs:
        groups.setdefault((run.build_id, run.workflow_type), []).append(run)
    found = [
        Version(
            build_id,
            workflow_type,
            sum(run.count for run in group),
            sum(run.count for run in group if run.status is RunStatus.PAUSED),
            min(run.oldest_start for run in group),
            None if here is None else build_id == here,
        )
        for (build_id, workflow_type), group in groups.items()
    ]
    oldest = {build: min(each.oldest_start for each in found if each.build_id == build) for build, _ in groups}
    return sorted(found, key=lambda each: (oldest[each.build_id], each.build_id, each.oldest_start))


def version_json(version: Version) -> dict[str, Any]:
    """A line of ``versions --json``."""
    return msgspec.structs.asdict(version) | {"oldest_start": rfc3339(version.oldest_start)}


def print_versions(output: Output, style: TimeStyle, versions: Sequence[Version]) -> None:
    """One line for each build and type."""
    columns = [
        Column("BUILD", flexible=True),
        Column("TYPE", flexible=True),
        Column("OPEN", right=True),
        Column("PAUSED", right=True),
        Column("OLDEST START"),
        Column("HERE"),
    ]
    rows = [
        [
            visible(version.build_id) or ("none yet", FAINT),
            visible(version.workflow_type),
            f"{version.open:,}",
            f"{version.paused:,}",
            style.since(version.oldest_start),
            ("yes", GOOD) if version.is_here else "" if version.is_here is None else "no",
        ]
        for version in versions
    ]
    if versions[0].is_here is None:
        columns.pop()
        rows = [row[:-1] for row in rows]
    output.table(columns, rows)
