"""A Map run, as AWS shows it."""

from typing import Any

from perdure.languages.asl.lines import MapRun


def shown(run: MapRun) -> dict[str, Any]:
    """A Map run as DescribeMapRun says it, but for its execution's ARN; times in seconds since 1970."""
    is_written = run.status == "SUCCEEDED"
    failed = run.items_failed - run.items_timed_out - run.items_aborted
    answer: dict[str, Any] = {
        "mapRunArn": run.arn,
        "status": run.status,
        "startDate": run.start_time / 1e9,
        "maxConcurrency": run.max_concurrency,
        "toleratedFailurePercentage": run.tolerated_percentage,
        "toleratedFailureCount": run.tolerated_count,
        "itemCounts": {
            "pending": run.items - run.items_begun,
            "running": run.items_running,
            "succeeded": run.items_succeeded,
            "failed": failed,
            "timedOut": run.items_timed_out,
            "aborted": run.items_aborted,
            "total": run.items,
            "resultsWritten": run.items_succeeded if is_written else 0,
            "failuresNotRedrivable": 0,
            "pendingRedrive": run.items_pending_redrive,
        },
        "executionCounts": {
            "pending": run.executions - run.begun,
            "running": run.running,
            "succeeded": run.succeeded,
            "failed": run.failed,
            "timedOut": run.timed_out,
            "aborted": run.aborted,
            "total": run.executions,
            "resultsWritten": run.succeeded if is_written else 0,
            "failuresNotRedrivable": 0,
            "pendingRedrive": run.pending_redrive,
        },
        "redriveCount": run.redrive_count,
    }
    if run.stop_time:
        answer["stopDate"] = run.stop_time / 1e9
    if run.redrive_time:
        answer["redriveDate"] = run.redrive_time / 1e9
    return answer
