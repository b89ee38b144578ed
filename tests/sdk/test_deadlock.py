"""Turns that do not end by themselves are ended, and only those."""

import asyncio
import logging
import threading
import time

import pytest
from tests.sdk.fake_kernel import FakeKernel

from perdure.model.program import TurnFailed
from perdure.sdk import deadlock, workflow
from perdure.sdk.app import App
from perdure.sdk.deadlock import Watch, stage_of_thread
from perdure.sdk.program import ProgramSettings
from perdure.sdk.turns import Stage, TurnInterrupted

app = App("test")
QUICK = ProgramSettings(deadlock_timeout_seconds=0.1)


@app.workflow
async def spins() -> None:
    while True:
        pass


def test_an_endless_loop_fails_the_turn_and_names_the_line() -> None:
    failed = FakeKernel(spins, settings=QUICK).try_turn()
    assert isinstance(failed, TurnFailed)
    assert failed.cause == "WORKFLOW_WORKER_UNHANDLED_FAILURE"
    assert failed.failure.type == "DeadlockError"
    for part in ("'spins'", "(w)", "0.1 seconds", "test_deadlock.py:", "in spins"):
        assert part in failed.failure.message


@app.workflow
async def spins_stubbornly() -> None:
    caught = 0
    while caught < 3:
        try:
            while True:
                pass
        except BaseException:
            caught += 1


def test_code_that_catches_everything_is_interrupted_again_and_fails_all_the_same() -> None:
    failed = FakeKernel(spins_stubbornly, settings=QUICK).try_turn()
    assert isinstance(failed, TurnFailed)
    assert failed.failure.type == "DeadlockError"


@app.workflow
class Asked:
    async def run(self) -> None:
        await workflow.sleep(1)

    @workflow.query
    def spin(self) -> None:
        while True:
            pass


def test_a_query_is_interrupted_too_and_the_run_goes_on() -> None:
    run = FakeKernel(Asked, settings=QUICK)
    run.turn()
    assert run.query("spin").type == "DeadlockError"
    run.fire().turn()
    assert run.result is None


@app.workflow
async def slow_but_ends(seconds: float) -> str:
    with workflow.unguarded():
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            pass
    return "done"


def test_without_a_limit_nothing_is_interrupted() -> None:
    run = FakeKernel(slow_but_ends, 0.5, settings=ProgramSettings(deadlock_timeout_seconds=None))
    run.turn()
    assert run.result == "done"


def test_stuck_in_c_is_logged_and_fails_once_it_returns(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = threading.Lock()
    lock.acquire()

    class ReleasesIt(logging.Handler):
        """Once the watchdog has said that it can do nothing."""

        def emit(self, record: logging.LogRecord) -> None:
            if "cannot be interrupted there" in record.getMessage():
                lock.release()

    @app.workflow(name="blocks")
    async def blocks() -> None:
        lock.acquire(timeout=100)

    handler = ReleasesIt()
    monkeypatch.setattr(deadlock.log, "handlers", [*deadlock.log.handlers, handler])
    failed = FakeKernel(blocks, settings=QUICK).try_turn()
    assert isinstance(failed, TurnFailed)
    assert failed.failure.type == "DeadlockError"
    assert "cannot be interrupted there" in caplog.text


def test_turns_that_end_at_the_limit_are_never_interrupted_later() -> None:
    # Turns that last about as long as the watchdog takes to decide, so that it often decides while they end.
    settings = ProgramSettings(deadlock_timeout_seconds=0.02)
    outcomes = {True: 0, False: 0}
    seconds = 0.02
    try:
        while min(outcomes.values()) < 30:
            interrupted = isinstance(FakeKernel(slow_but_ends, seconds, settings=settings).try_turn(), TurnFailed)
            outcomes[interrupted] += 1
            seconds *= 0.9 if interrupted else 1.1
            # Were an interruption still under way, it would come here.
            sum(range(2000))
    except TurnInterrupted:  # pragma: no cover
        pytest.fail("interrupted outside of a turn")


def test_an_interruption_between_the_end_and_the_clean_up_still_cleans_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worst moment: the exception is raised in what follows the turn."""
    original = Stage.leave
    calls: list[str] = []

    def leave(self: Stage) -> str:
        calls.append("leave")
        if len(calls) == 1:
            raise TurnInterrupted
        return original(self)

    monkeypatch.setattr(Stage, "leave", leave)
    failed = FakeKernel(slow_but_ends, 0.0, settings=QUICK).try_turn()
    assert isinstance(failed, TurnFailed)
    assert stage_of_thread().run is None
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()


def test_time_spent_suspended_does_not_count() -> None:
    run = FakeKernel(slow_but_ends, 0.0).program._run
    stage = Stage(threading.get_ident())
    watch = Watch(stage)
    stage.enter(run, 2.0)
    # However long the machine slept between two polls, it is one poll.
    for _ in range(3):
        watch.poll(0.5)
        assert not stage.suspected
    assert stage.leave() == ""


def test_a_debugged_turn_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadlock, "_is_debugged", lambda frame: True)
    run = FakeKernel(slow_but_ends, 0.4, settings=QUICK)
    run.turn()
    assert run.result == "done"
