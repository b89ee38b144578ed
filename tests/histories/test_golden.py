"""Histories that were recorded once must replay for ever, whatever becomes of the SDK and of the stored format.

``python -m tests.histories.test_golden`` records those that are not there yet. Recordings are never replaced: one that
no longer replays is a break for everybody who has runs like it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.histories import programs

import perdure
from perdure.testing import environment

RECORDED = Path(__file__).with_name("recorded")
FILES = sorted(RECORDED.glob("*.json"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_still_replays(path: Path) -> None:
    perdure.replay(programs.app, perdure.History.from_json(path.read_bytes()))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_is_written_as_it_was_read(path: Path) -> None:
    assert perdure.History.from_json(path.read_bytes()).to_json().strip() == path.read_bytes().strip()


def test_every_program_has_a_history() -> None:
    types = {perdure.History.from_json(path.read_bytes()).started.workflow_type for path in FILES}
    assert types == set(programs.app.workflows)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_step_left_out_is_noticed(path: Path) -> None:
    """The recordings can fail: without the event of its last command, each is another history."""
    history = perdure.History.from_json(path.read_bytes())
    assert len(history.events) > 5
    with pytest.raises(perdure.PerdureError):
        changed = [event for event in history.events if type(event).__name__ not in COMMANDS]
        perdure.replay(programs.app, perdure.History(history.workflow_id, history.run_id, changed))


COMMANDS = {
    "ActivityTaskScheduled",
    "TimerStarted",
    "StartChildWorkflowExecutionInitiated",
    "MarkerRecorded",
    "WorkflowPropertiesModified",
    "WorkflowExecutionContinuedAsNew",
    "WorkflowExecutionFailed",
    "WorkflowExecutionCanceled",
    "WorkflowExecutionCompleted",
    "WorkflowExecutionUpdateAccepted",
}


# --- recording


async def _count(client: perdure.Client) -> None:
    run = await client.start(programs.Counter, 1, id="counter")
    await run.signal(programs.Counter.add, 4)
    assert await run.update(programs.Counter.multiply, 3) == 30
    with pytest.raises(perdure.UpdateFailedError):
        await run.update(programs.Counter.multiply, 0)
    await run.signal(programs.Counter.finish)
    await run.result()


async def _cancel(client: perdure.Client) -> None:
    run = await client.start(programs.is_cancelled, id="cancelled")
    await run.cancel()
    with pytest.raises(perdure.WorkflowFailedError):
        await run.result()


ITEMS = [programs.Item("book", 12), programs.Item("flaky", 3), programs.Item("pen", 1)]
STORIES: dict[str, Callable[[perdure.Client], Awaitable[Any]]] = {
    "steps": lambda client: client.execute(programs.steps, ITEMS, id="steps"),
    "waits": lambda client: client.execute(programs.waits, id="waits"),
    "counter": _count,
    "family": lambda client: client.execute(programs.family, id="family"),
    "undoes": lambda client: client.execute(programs.undoes, id="undoes"),
    "goes_on": lambda client: client.execute(programs.goes_on, 2, id="goes_on"),
    "cancelled": _cancel,
}


async def _record() -> None:
    RECORDED.mkdir(exist_ok=True)
    for name, story in STORIES.items():
        async with environment(programs.app) as env:
            await story(env.client)
            await env.sleep(timedelta(days=1))
            found = [each async for each in env.client.list()]
            for number, summary in enumerate(reversed(found), 1):
                history = await env.client.get(summary.id, summary.run_id).fetch_history()
                path = RECORDED / f"{name}-{number}.json"
                if not path.exists():
                    path.write_bytes(history.to_json() + b"\n")
                    print(path.name, summary.type)


if __name__ == "__main__":
    asyncio.run(_record())
