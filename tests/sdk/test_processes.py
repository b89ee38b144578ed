"""Activities in processes of their own, whose death is only a failed attempt."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.sdk.process_activities import Square, app
from tests.sdk.worker_driver import Driver

from perdure.model.errors import InvalidArgumentError
from perdure.model.requests import CancelActivity, CompleteActivity, FailActivity, HeartbeatActivity
from perdure.sdk.app import App
from perdure.sdk.worker import LocalWorker

pytestmark = pytest.mark.timeout(120)


async def test_it_runs_elsewhere_and_types_are_kept() -> None:
    async with Driver(app, max_processes=1) as driver:
        assert await driver.result("area", Square(3)) == 9
        first = await driver.result("pid")
        assert first != os.getpid()
        assert await driver.result("pid") == first
        assert await driver.result("where", attempt=2) == ["workflow-1", "where", "2", "run-1:8"]


async def test_several_at_once_up_to_the_slots() -> None:
    async with Driver(app, max_processes=2) as driver:
        ids = [driver.start("sleep", 0.3), driver.start("sleep", 0.3)]
        assert not driver.worker.reserve("default", "default", "pid")
        pids = {driver.converter.from_payloads((await driver.end(event_id)).result)[0] for event_id in ids}
        assert len(pids) == 2


async def test_errors_come_back() -> None:
    async with Driver(app, max_processes=1) as driver:
        failure = (await driver.run("refuse")).failure
        assert (failure.type, failure.message) == ("Refused", "not today")
        assert "process_activities.py" in failure.stack_trace
        assert "cannot read its arguments" in (await driver.run("area", {"side": "long"})).failure.message
        assert (await driver.run("leave")).failure.type == "SystemExit"
        pid = await driver.result("pid")
        assert await driver.result("pid") == pid


async def test_a_killed_child_fails_only_its_attempt() -> None:
    async with Driver(app, max_processes=2) as driver:
        pid = await driver.result("pid")
        doomed = driver.start("sleep", 30)
        await asyncio.sleep(0.3)
        bystander = driver.start("sleep", 1)
        await asyncio.sleep(0.3)
        os.kill(pid, signal.SIGKILL)
        request = await driver.end(doomed)
        assert isinstance(request, FailActivity)
        assert (request.failure.type, request.failure.non_retryable) == ("WorkerLost", False)
        assert "died of signal SIGKILL" in request.failure.message
        assert isinstance(await driver.end(bystander), CompleteActivity)
        # Whatever comes next gets a child that lives.
        assert await driver.result("area", Square(2)) == 4


async def test_a_child_that_dies_while_idle_is_replaced() -> None:
    async with Driver(app, max_processes=1) as driver:
        pid = await driver.result("pid")
        os.kill(pid, signal.SIGKILL)
        await asyncio.sleep(0.1)
        assert await driver.result("pid") != pid


async def test_heartbeats_of_a_child_that_died_are_not_lost() -> None:
    async with Driver(app, max_processes=1) as driver:
        event_id = driver.start("beat_then_die", heartbeat_timeout=30)
        request = await driver.end(event_id)
        assert request.failure.type == "WorkerLost"
        sent = [r.details for r in driver.requests if isinstance(r, HeartbeatActivity)]
        known = request.heartbeat_details or sent[-1]
        assert driver.converter.from_payloads(known) == [2]


@pytest.mark.parametrize("attempt", [1, 2])
async def test_cancellation_reaches_a_child_at_its_heartbeat(attempt: int) -> None:
    async with Driver(app, max_processes=1) as driver:
        event_id = driver.start("beat_until_cancelled", attempt=attempt, heartbeat_timeout=1)
        await driver.heartbeat(event_id)
        driver.cancel(event_id)
        request = await driver.end(event_id, attempt)
        if attempt == 1:
            assert isinstance(request, CancelActivity)
        else:
            assert driver.converter.from_payloads(request.result) == ["cleaned up"]
        # A request to stop that came too late does not reach the next job.
        assert await driver.result("area", Square(2)) == 4


async def test_a_child_may_wait_for_cancellation() -> None:
    async with Driver(app, max_processes=1) as driver:
        event_id = driver.start("wait_until_cancelled")
        driver.cancel(event_id)
        assert driver.converter.from_payloads((await driver.end(event_id)).result) == [True]


async def test_completion_from_outside() -> None:
    async with Driver(app, max_processes=1) as driver:
        event_id = driver.start("later")
        await driver.heartbeat(event_id)
        assert driver.worker.running_count == 0


async def test_closing_ends_the_children() -> None:
    driver = Driver(app, max_processes=1)
    async with driver:
        pid = await driver.result("pid")
        driver.start("sleep", 60)
        await asyncio.sleep(0.1)
        await driver.worker.close(grace=0.1)
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            break
        await asyncio.sleep(0.05)
    else:
        raise AssertionError("the child lives")


def test_a_script_whose_work_is_not_guarded_is_told(tmp_path: Path) -> None:
    # Each child imports the script, and would start it all over again.
    (tmp_path / "script.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert "died with exit code 1 before it could begin" in done.stdout
    assert "under if __name__ ==" in done.stdout


SCRIPT = """
import asyncio
from perdure.model.events import ActivityTaskScheduled
from perdure.model.ids import RunAddress
from perdure.model.program import ActivityTask
from perdure.sdk.app import App
from perdure.sdk.worker import LocalWorker

app = App("script")

@app.activity(executor="process")
def work() -> int:
    return 1

async def main():
    open("store", "x")  # a second engine cannot have it
    requests = asyncio.Queue()
    worker = LocalWorker([app])
    worker.open(lambda address, request: requests.put_nowait(request))
    assert worker.reserve("default", "default", "work")
    address = RunAddress("default", "w", "r")
    worker.start_activity(ActivityTask(address, "t", ActivityTaskScheduled(1, 0, "1", "work", "default"), 1, 0))
    print((await requests.get()).failure.message)
    await worker.close()

asyncio.run(main())
"""


def test_the_child_must_be_able_to_find_the_activity() -> None:
    local = App("local")
    with pytest.raises(InvalidArgumentError, match="top level of its module"):

        @local.activity(executor="process")
        def hidden() -> None: ...

    other = App("other")
    other.activity(executor="process", name="area2")(Square.__init__)
    with pytest.raises(InvalidArgumentError, match="must find the activity under that name"):
        LocalWorker([other])
