"""Schedules that are open go on under later code: their recorded histories replay for ever, as those in ``test_golden``.

``python -m tests.histories.test_schedules NAME`` records what the schedules of ``_story`` do now into
``recorded/schedules/NAME-*.json``. ``activity-*`` are of when each run was started by an activity,
``command-*`` of when times were found by one, ``marker-*`` of when a schedule was a workflow that is replayed. Since then its
turns save what they change: those of ``state-*`` are read, and what they come to is in ``STATES``.
"""

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

import perdure
from perdure import App
from perdure.sdk.schedules import schedule_app
from perdure.sdk.schedules.definition import STATE_QUERY, SYSTEM_NAMESPACE, WORKFLOW_TYPE, Snapshot
from perdure.testing import environment

RECORDED = Path(__file__).with_name("recorded") / "schedules"
FILES = sorted(RECORDED.glob("*.json"))
REPLAYED = [path for path in FILES if not path.stem.startswith("state-")]
STATES = msgspec.json.decode(Path(__file__).with_name("schedule_states.json").read_bytes())
"""How often each has started a run, and how many times it knows that come next."""
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)

app = App("jobs")


@app.workflow
async def job(minutes: int) -> None:
    await asyncio.sleep(60 * minutes)


def _no_service() -> Any:
    raise AssertionError("a replay runs no activity")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_still_replays(path: Path) -> None:
    perdure.replay(schedule_app(_no_service), perdure.History.from_json(path.read_bytes()))


@pytest.mark.parametrize("name", STATES)
def test_what_its_turns_saved_can_be_read(name: str) -> None:
    assert _known(perdure.History.from_json((RECORDED / f"{name}.json").read_bytes())) == STATES[name]


@pytest.mark.parametrize("path", REPLAYED, ids=lambda path: path.stem)
def test_a_start_left_out_is_noticed(path: Path) -> None:
    """The recordings can fail."""
    history = perdure.History.from_json(path.read_bytes())
    starts = [event for event in history.events if type(event).__name__ in STARTS]
    assert starts
    with pytest.raises(perdure.PerdureError):
        changed = [event for event in history.events if event not in starts]
        perdure.replay(schedule_app(_no_service), perdure.History(history.workflow_id, history.run_id, changed))


def _known(history: perdure.History) -> dict[str, int]:
    """What a program knows that is built from a history."""
    written = schedule_app(_no_service).workflows[WORKFLOW_TYPE].written
    assert written is not None
    program = written.create_program(history.address, history.started)
    assert program.catch_up(history.events) is None
    answer = program.query(STATE_QUERY, ())
    assert isinstance(answer, tuple)
    snapshot = msgspec.json.decode(answer[0].data, type=Snapshot)
    counts = snapshot.state.counts
    return {"fired": counts.fired, "skipped": counts.skipped, "upcoming": len(snapshot.upcoming)}


STARTS = {"ActivityTaskScheduled", "StartChildWorkflowExecutionInitiated"}


async def _story(env: Any) -> None:
    schedules = env.client.schedules
    for overlap in ("skip", "buffer_one", "buffer_all", "cancel_other", "terminate_other", "allow_all"):
        await schedules.create(overlap, job, 75, every=HOUR, overlap=overlap)
    quick = await schedules.create("quick", job, 5, cron="30 * * * *", jitter=timedelta(minutes=1))
    await schedules.create("few", job, 5, every=HOUR, max_runs=3)
    await env.client.start(job, 600, id="taken-2026-01-01T03:00:00Z")
    await schedules.create("taken", job, 5, every=HOUR)
    await env.sleep(3 * HOUR)
    await quick.trigger()
    await quick.pause("for a while")
    await env.sleep(2 * HOUR)
    await quick.backfill(NEW_YEAR + 3 * HOUR, NEW_YEAR + 5 * HOUR)
    await quick.resume()
    await env.sleep(2 * HOUR)
    await quick.update(every=HOUR)
    await env.sleep(16 * HOUR)


async def _record(name: str) -> None:
    RECORDED.mkdir(parents=True, exist_ok=True)
    async with environment(app, start_time=NEW_YEAR) as env:
        await _story(env)
        system = env.client.with_namespace(SYSTEM_NAMESPACE)
        async for summary in system.list():
            history = await system.get(summary.id, summary.run_id).fetch_history()
            kind = summary.id.rpartition(":")[2]
            path = RECORDED / f"{name}-{kind}-{summary.status.name.lower()}.json"
            assert not path.exists(), "recordings are never replaced"
            path.write_bytes(history.to_json() + b"\n")
            STATES[path.stem] = _known(history)
            print(path.name, len(history.events))
    Path(__file__).with_name("schedule_states.json").write_bytes(
        msgspec.json.format(msgspec.json.encode(STATES)) + b"\n"
    )


if __name__ == "__main__":
    asyncio.run(_record(sys.argv[1]))
