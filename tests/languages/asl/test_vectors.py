"""What AWS itself answered: every recorded execution whose calls can be played without a service."""

import datetime
from collections import Counter
from typing import Any

import pytest
from tests.languages.asl import vectors

pytest.importorskip("boto3", reason="the judge of the vectors needs boto3")
if not vectors.FOLDER.is_dir():
    pytest.skip(f"the recorded vectors are not at {vectors.FOLDER}", allow_module_level=True)

JUDGE = vectors.load_judge()
EXECUTIONS = [vector for vector in JUDGE.load([vectors.FOLDER]) if vectors.runs_of(vector)]

ELSEWHERE = {
    "test_activity_task_no_worker_name": "the worker has a name here",
    "test_activity_task_on_deleted": "who starts it knows that the activity is gone",
    "test_aws_sdk_task_service::": "the service is called over the wire",
    "test_callback::TestCallback::test_start_execution_sync": "recorded before AWS counted redrives",
    "test_cross_account_service_lambda_invoke": "Lambda's payload is written by who calls it",
    "test_lambda_invoke_with_retry_extended_input": "recorded before AWS counted redrives",
    "test_lambda_service_invoke_with_retry_extended_input": "recorded before AWS counted redrives",
    "test_lambda_task_service::TestTaskServiceLambda::test_invoke": "Lambda's payload is written by who calls it",
    "test_max_concurrency_path_negative": "recorded while the run went on",
    "test_path_based_on_data": "Lambda's payload is written by who calls it",
    "test_timestamp_too_far_in_future_boundary[24855]": "recorded while the run went on",
}
"""Parts of ids that are left to the test over the wire, or can't be played, and why."""


def judged(vector: dict[str, Any], *, forgets: bool) -> str:
    """What differs from the recording; empty if nothing does."""
    try:
        for run in vectors.runs_of(vector):
            matcher = JUDGE.Matcher(run, datetime.timedelta())
            play = vectors.played(run, forgets=forgets)
            JUDGE.Runner.outcome(None, matcher, run["expected"], vectors.shown(play))
            if run["expected"].get("history"):
                matcher.history(run["expected"]["history"], vectors.events(play), run.get("history_order"))
    except JUDGE.Mismatch as mismatch:
        return str(mismatch)
    return ""


@pytest.mark.parametrize("forgets", [False, True], ids=["keeps", "forgets"])
def test_recorded_executions(forgets):
    wrong: dict[str, str] = {}
    groups: Counter[str] = Counter()
    for vector in EXECUTIONS:
        if any(part in vector["id"] for part in ELSEWHERE):
            continue
        if why := judged(vector, forgets=forgets):
            wrong[vector["id"]] = why
        groups[vector["group"]] += 1
    assert not wrong, "\n".join(f"{name}\n    {why}" for name, why in wrong.items())
    assert sum(groups.values()) > 200
