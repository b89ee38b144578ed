"""Whether a workflow id may be used again: the whole table."""

import pytest

from perdure.kernel.commit import Reason, Rejection
from perdure.kernel.start_policy import StartNew, TerminateFirst, UseExisting, decide
from perdure.model.options import IdConflict, IdReuse, RunStatus
from perdure.model.requests import StartWorkflow

OPEN = {RunStatus.RUNNING, RunStatus.PAUSED}
SUCCEEDED = {RunStatus.COMPLETED, RunStatus.CONTINUED_AS_NEW}


@pytest.mark.parametrize("conflict", IdConflict)
@pytest.mark.parametrize("reuse", IdReuse)
@pytest.mark.parametrize("status", RunStatus)
def test_table(status: RunStatus, reuse: IdReuse, conflict: IdConflict) -> None:
    request = StartWorkflow("order", "Order", id_reuse=reuse, id_conflict=conflict)
    decision = decide(request, status, "r1", is_repeat=False)
    if status in OPEN:
        # While a run is open, only the conflict policy counts.
        expected: type = {
            IdConflict.USE: UseExisting,
            IdConflict.TERMINATE: TerminateFirst,
            IdConflict.FAIL: Rejection,
        }[conflict]
    elif reuse is IdReuse.REJECT or (reuse is IdReuse.ALLOW_IF_FAILED and status in SUCCEEDED):
        expected = Rejection
    else:
        expected = StartNew
    assert isinstance(decision, expected)
    if isinstance(decision, Rejection):
        assert decision.reason is Reason.ALREADY_EXISTS
        assert "'order'" in decision.message
        assert "r1" in decision.message


@pytest.mark.parametrize("status", RunStatus)
def test_a_repeat_is_answered_with_the_run_that_it_started(status: RunStatus) -> None:
    request = StartWorkflow("order", "Order", id_reuse=IdReuse.REJECT, id_conflict=IdConflict.TERMINATE)
    assert isinstance(decide(request, status, "r1", is_repeat=True), UseExisting)
