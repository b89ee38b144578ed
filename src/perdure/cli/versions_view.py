"""Builds of the code that open runs are on, as a table and as JSON."""

from collections.abc import Sequence
from typing import Any

import msgspec

from perdure.cli.output import FAINT, GOOD, Column, Output
from perdure.cli.sources import Source
from perdure.cli.times import TimeStyle, rfc3339
from perdure.cli.values import visible
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


OPEN = (RunStatus.RUNNING, RunStatus.PAUSED)
BY_BUILD = "GROUP BY BuildId, WorkflowType"


async def versions_of(source: Source, namespace: str, here: str | None) -> list[Version]:
    """By build and type, the build with the oldest run first."""

    async def counts(*statuses: RunStatus) -> dict[tuple[str, str], int]:
        found = await source.count(namespace, filter=BY_BUILD, statuses=statuses, workflow_type="")
        return {(str(build or ""), str(kind)): group.count for group in found.groups for build, kind in [group.values]}

    opened, paused = await counts(*OPEN), await counts(RunStatus.PAUSED)
    found = [
        Version(
            build_id,
            workflow_type,
            count,
            paused.get((build_id, workflow_type), 0),
            await _oldest_start(source, namespace, build_id, workflow_type),
            None if here is None else build_id == here,
        )
        for (build_id, workflow_type), count in opened.items()
    ]
    oldest = {
        build: min(each.oldest_start for each in found if each.build_id == build) for build in {*map(_build, found)}
    }
    return sorted(found, key=lambda each: (oldest[each.build_id], each.build_id, each.oldest_start))


def _build(version: Version) -> str:
    return version.build_id


async def _oldest_start(source: Source, namespace: str, build_id: str, workflow_type: str) -> int:
    """When the first of the open runs of a build and type started; 0 if they have ended meanwhile."""
    of_build = "BuildId = '" + build_id.replace("'", "''") + "'" if build_id else "BuildId IS NULL"
    page = await source.list(
        namespace,
        filter=f"{of_build} ORDER BY StartTime ASC",
        statuses=OPEN,
        workflow_type=workflow_type,
        cursor="",
        limit=1,
    )
    return page.runs[0].start_time if page.runs else 0


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
