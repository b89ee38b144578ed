"""Waiting for the end of a run, and showing it."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from perdure.cli.acting import print_answer
from perdure.cli.output import busy, note
from perdure.cli.progress import progress_of
from perdure.cli.values import UNLIMITED, failures_text, status_text, visible
from perdure.model import events as e
from perdure.model.errors import PerdureError
from perdure.model.ids import RunAddress
from perdure.model.requests import StartWorkflow
from perdure.model.service import Service

FAILED = 1
_LOOK_SECONDS = 1.0


async def wait_for(
    service: Service, namespace: str, request: StartWorkflow, patience: float | None
) -> tuple[str, e.Event | None]:
    """Start a run and wait until it, and what goes on in its place, has closed; None if that took too long.

    On a terminal a line shows meanwhile how far it says it has come.
    """
    started = await service.start(namespace, request)
    address = RunAddress(namespace, request.workflow_id, started.run_id)
    with busy(f"{visible(request.workflow_id)}: running") as show:
        watcher = None if show is None else asyncio.create_task(_watch(service, address, show))
        try:
            async with asyncio.timeout(patience):
                return await service.wait_closed(address, follow=True)
        except TimeoutError:
            return started.run_id, None
        finally:
            if watcher is not None:
                watcher.cancel()
                with suppress(asyncio.CancelledError):
                    await watcher


async def _watch(service: Service, address: RunAddress, show: Callable[[str], None]) -> None:
    current = RunAddress(address.namespace, address.workflow_id)
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        try:
            summary = (await service.describe(current)).summary
        except PerdureError:
            continue  # what matters is told by whoever waits for the end
        progress = progress_of(summary.memo)
        text = f"{visible(address.workflow_id)}: {status_text(summary.status)}"
        show(text if progress is None else f"{text}, {progress.text()}")


def show_result(workflow_id: str, closed: tuple[str, e.Event | None]) -> int:
    """Print a result to standard output, or to standard error why there is none; the exit code."""
    run_id, event = closed
    name = visible(workflow_id)
    if isinstance(event, e.WorkflowExecutionCompleted):
        print_answer(event.result)
        return 0
    if event is None:
        note(f"{name} goes on; the time to wait for it is up. See perdure show {name} --run-id {run_id}.")
        return FAILED
    how = event.__class__.__name__.removeprefix("WorkflowExecution")
    why = ""
    match event:
        case e.WorkflowExecutionFailed():
            why = f": {failures_text(event.failure, UNLIMITED)}"
        case e.WorkflowExecutionTerminated():
            why = f": {visible(event.reason)}" if event.reason else ""
        case _:
            pass
    note(f"{name} ended as {how}{why}. See perdure show {name} --run-id {run_id}.")
    return FAILED
