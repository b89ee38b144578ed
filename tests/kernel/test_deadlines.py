"""When something must happen to a run, and what comes next when it has."""

from perdure.kernel.commit import Commit
from perdure.kernel.run import RUN_TIMEOUT
from perdure.kernel.timer import deadline, deadline_after
from perdure.kernel.transition import start, transition
from perdure.model import commands as c
from perdure.model import requests as r
from perdure.model.failures import Failure
from perdure.model.options import SECOND_NS, RetryPolicy

NOW = 1_700_000_000 * SECOND_NS


def _run_with(command: c.AnyCommand) -> Commit:
    commit = start("default", "r1", r.StartWorkflow("order", "Order", run_timeout_ns=60 * SECOND_NS), NOW)
    for request in (r.StartWorkflowTask("worker"), r.CompleteWorkflowTask(3, 1, (command,))):
        assert transition(commit.run, request, NOW, commit=commit) is commit
    return commit


def test_a_retry_that_nobody_takes_still_times_out() -> None:
    """Its back-off is over and no worker is free: nothing is recorded, and the next alarm is that of its timeouts."""
    policy = RetryPolicy(initial_ns=5 * SECOND_NS)
    command = c.ScheduleActivityTask("a", "work", "", (), 30 * SECOND_NS, 10 * SECOND_NS, retry_policy=policy)
    run = _run_with(command).run
    for request in (r.StartActivity(5, 1), r.FailActivity(5, 1, Failure("not now"))):
        assert isinstance(transition(run, request, NOW), Commit)
    ready = NOW + 5 * SECOND_NS
    assert deadline(run, 5) == ready
    assert deadline_after(run, 5, NOW) == ready
    commit = transition(run, r.FireTimer(5), ready)
    assert isinstance(commit, Commit)
    assert commit.ready == [5]
    assert commit.records == []
    assert deadline_after(run, 5, ready) == ready + 10 * SECOND_NS
    assert deadline_after(run, 5, ready + 10 * SECOND_NS) == 0


def test_a_timer_has_one_deadline() -> None:
    run = _run_with(c.StartTimer("nap", 5 * SECOND_NS)).run
    assert deadline_after(run, 5, NOW) == deadline(run, 5) == NOW + 5 * SECOND_NS
    assert deadline_after(run, 5, NOW + 5 * SECOND_NS) == 0
    assert deadline_after(run, RUN_TIMEOUT, NOW) == NOW + 60 * SECOND_NS
    assert deadline_after(run, 99, NOW) == 0
