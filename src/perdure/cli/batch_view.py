"""Batches: what one would do, how one goes, and all of them in a list."""

import asyncio
from collections.abc import Sequence
from typing import Any

from perdure.cli.batch_job import Job
from perdure.cli.output import BAD, FAINT, STATUS_STYLES, STRONG, Cell, Column, Output, note, progress
from perdure.cli.runs_view import statuses_of
from perdure.cli.times import TimeStyle, rfc3339
from perdure.cli.values import status_text, visible
from perdure.model.options import RunStatus
from perdure.model.service import RunSummary
from perdure.sdk.batches.client import BatchDescription, BatchHandle
from perdure.sdk.batches.definition import Operation
from perdure.sdk.client import Client
from perdure.sdk.schedules.times import to_ns

_FIRST = 10
_LOOK_SECONDS = 0.5


async def preview(client: Client, operation: Operation, job: Job) -> tuple[int, Sequence[RunSummary]]:
    """How many runs it would be, and the first of them. Raises ``InvalidArgumentError`` if the filter can't be used."""
    definition = client.batches.definition(
        operation, job.filter, statuses_of(job.status), job.workflow_type, job.rate, job.id
    )
    total = await client.batches.count(definition)
    page = await client.service.list(
        client.namespace,
        filter=job.filter,
        statuses=[RunStatus(number) for number in definition.statuses],
        workflow_type=job.workflow_type,
        cursor="",
        limit=_FIRST,
    )
    return total, page.runs


def print_preview(total: int, first: Sequence[RunSummary], *, json: bool) -> None:
    """What a dry run says."""
    output = Output()
    if json:
        runs = [{"workflow_id": run.workflow_id, "run_id": run.run_id} for run in first]
        output.json({"count": total, "first": runs})
        return
    output.line(str(total))
    shown = ", ".join(visible(run.workflow_id) for run in first)
    note(f"Nothing was done. It begins with {shown}." if first else "Nothing was done: no run matches.")


async def carry_out(client: Client, operation: Operation, job: Job) -> bool:
    """Begin a batch and, unless that is not wanted, wait until it has ended; whether something failed."""
    handle = await client.batches.start(
        operation,
        job.filter,
        statuses=statuses_of(job.status),
        workflow_type=job.workflow_type,
        rate=job.rate,
        id=job.id,
    )
    if job.detach:
        found = await handle.describe()
    else:
        note(f"Batch {handle.id}: Ctrl-C ends the wait, perdure batch stop {handle.id} the batch.")
        found = await _waited(handle)
    if job.json:
        Output().json(batch_json(found))
    elif job.detach:
        Output().line(handle.id)
    else:
        print_batch(Output(), TimeStyle(), found)
    return found.failed > 0


async def _waited(handle: BatchHandle) -> BatchDescription:
    with progress("Batch", "{:,}".format) as show:
        ending = asyncio.ensure_future(handle.wait())
        while True:
            done, _ = await asyncio.wait([ending], timeout=_LOOK_SECONDS)
            if done:
                return await ending
            found = await handle.describe()
            if found.total >= 0:
                show(found.done + found.skipped + found.failed, found.total)


def batch_json(found: BatchDescription) -> dict[str, Any]:
    """A batch as a program sees it."""
    return {
        "id": found.id,
        "namespace": found.namespace,
        "operation": found.operation,
        "filter": found.filter,
        "rate": found.rate,
        "status": status_text(found.status),
        "total": found.total if found.total >= 0 else None,
        "done": found.done,
        "skipped": found.skipped,
        "failed": found.failed,
        "failures": [
            {"workflow_id": each.workflow_id, "run_id": each.run_id, "reason": each.reason} for each in found.failures
        ],
        "start_time": rfc3339(to_ns(found.started)),
        "close_time": None if found.closed is None else rfc3339(to_ns(found.closed)),
    }


def print_batches(output: Output, style: TimeStyle, found: Sequence[BatchDescription]) -> None:
    """One line for each."""
    columns = [
        Column("BATCH"),
        Column("DOES"),
        Column("STATUS"),
        Column("DONE", right=True),
        Column("FAILED", right=True),
        Column("STARTED"),
        Column("FILTER", flexible=True),
    ]
    rows: list[list[Cell]] = [
        [
            visible(each.id),
            each.operation,
            _status(each),
            _share(each),
            (str(each.failed), BAD) if each.failed else "0",
            style.moment(to_ns(each.started)),
            visible(each.filter),
        ]
        for each in found
    ]
    output.table(columns, rows)


def print_batch(output: Output, style: TimeStyle, found: BatchDescription) -> None:
    """All about one."""
    output.line((visible(found.id), STRONG), "  ", _status(found))
    output.fields(
        [
            ("does", found.operation),
            ("filter", visible(found.filter)),
            ("rate", f"{found.rate:g} a second" if found.rate else "as fast as it goes"),
            ("started", style.moment(to_ns(found.started))),
            ("ended", "" if found.closed is None else style.moment(to_ns(found.closed))),
            ("done", _share(found)),
            ("skipped", f"{found.skipped:,}, which had closed or gone" if found.skipped else ""),
            ("failed", (f"{found.failed:,}", BAD) if found.failed else ""),
        ]
    )
    if found.failures:
        output.heading("Failures")
        output.fields([(visible(each.workflow_id), visible(each.reason)) for each in found.failures])
        if found.failed > len(found.failures):
            output.line((f"  and {found.failed - len(found.failures):,} more", FAINT))


def _status(found: BatchDescription) -> Cell:
    text = "stopped" if found.status is RunStatus.CANCELED else status_text(found.status)
    return text, STATUS_STYLES[found.status]


def _share(found: BatchDescription) -> str:
    return f"{found.done:,}" if found.total < 0 else f"{found.done:,} of {found.total:,}"
