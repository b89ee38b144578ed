"""Every operation of the client is there over REST: both are listed here, so that a missing one fails."""

import pytest

import perdure
from perdure.protocols.rest import OPERATIONS
from perdure.sdk.batches.client import Batches, BatchHandle
from perdure.sdk.handles import Run
from perdure.sdk.pending import PendingActivities
from perdure.sdk.schedules.client import ScheduleHandle, Schedules
from perdure.sdk.task_queues import TaskQueues
from perdure.sdk.updates import UpdateHandle

HERE = ""
"""It asks nobody, or is another way to say what is in the list."""

CLIENT = {
    perdure.Client: {
        "start": "start_workflow",
        "execute": "start_workflow",
        "update_with_start": "start_workflow",
        "start_activity": "start_activity",
        "execute_activity": "start_activity",
        "start_operation": "start_operation",
        "execute_operation": "start_operation",
        "get": HERE,
        "list": "list_workflows",
        "count": "count_workflows",
        "count_by": "count_workflows",
        "search_attributes": "list_search_attributes",
        "add_search_attributes": "add_search_attributes",
        "remove_search_attributes": "remove_search_attribute",
        "import_history": "import_workflow",
        "complete_activity": "complete_activity",
        "fail_activity": "fail_activity",
        "cancel_activity": "cancel_activity",
        "heartbeat_activity": "heartbeat_activity",
        "namespaces": "list_namespaces",
        "set_namespace": "set_namespace",
        "describe_namespace": "describe_namespace",
        "delete_namespace": "delete_namespace",
        "batches": HERE,
        "schedules": HERE,
        "task_queues": HERE,
        "namespace": HERE,
        "with_namespace": HERE,
        "service": HERE,
        "close": HERE,
    },
    Run: {
        "result": "get_result",
        "describe": "describe_workflow",
        "explain": "explain_workflow",
        "history": "get_history",
        "fetch_history": "export_workflow",
        "signal": "signal_workflow",
        "query": "query_workflow",
        "update": "update_workflow",
        "start_update": "update_workflow",
        "cancel": "cancel_workflow",
        "terminate": "terminate_workflow",
        "pause": "pause_workflow",
        "resume": "resume_workflow",
        "pin": "pin_workflow",
        "unpin": "pin_workflow",
        "activities": HERE,
        "reset": "reset_workflow",
        "fork": "fork_workflow",
        "delete": "delete_workflow",
        "id": HERE,
        "run_id": HERE,
        "namespace": HERE,
        "is_new": HERE,
    },
    PendingActivities: {
        "pause": "pause_activities",
        "unpause": "unpause_activities",
        "reset": "reset_activities",
        "update_options": "update_activity_options",
        "restore_options": "update_activity_options",
    },
    Schedules: {
        "create": "create_schedule",
        "create_for": "create_schedule",
        "get": HERE,
        "list": "list_schedules",
    },
    ScheduleHandle: {
        "describe": "describe_schedule",
        "update": "update_schedule",
        "replace": "update_schedule",
        "times": "describe_schedule",
        "pause": "pause_schedule",
        "resume": "resume_schedule",
        "trigger": "trigger_schedule",
        "backfill": "backfill_schedule",
        "delete": "delete_schedule",
    },
    Batches: {
        "start": "create_batch",
        "signal": "create_batch",
        "cancel": "create_batch",
        "terminate": "create_batch",
        "reset": "create_batch",
        "delete": "create_batch",
        "count": "count_workflows",
        "definition": HERE,
        "get": HERE,
        "list": "list_batches",
    },
    BatchHandle: {
        "describe": "describe_batch",
        "wait": "describe_batch",
        "pause": "pause_batch",
        "resume": "resume_batch",
        "stop": "stop_batch",
    },
    TaskQueues: {
        "list": "list_task_queues",
        "describe": "describe_task_queue",
        "set": "set_task_queue",
        "pause": "pause_task_queue",
        "resume": "resume_task_queue",
    },
    UpdateHandle: {"result": "update_workflow", "wait": "update_workflow", "id": HERE, "run": HERE},
}

ONLY_REST = {
    "poll_activity": "a worker of Python's is connected instead",
    "list_workers": "perdure worker list",
    "create_token": "perdure token create",
    "list_tokens": "perdure token list",
    "revoke_token": "perdure token revoke",
    "read_audit_log": "perdure audit list",
    **dict.fromkeys(
        ("list_signing_secrets", "set_signing_secret", "delete_signing_secret"), "callbacks are REST's own"
    ),
    **dict.fromkeys(("list_webhooks", "set_webhook", "get_webhook", "delete_webhook", "receive_webhook"), "REST's own"),
    **dict.fromkeys(
        ("list_endpoints", "get_endpoint", "set_endpoint", "delete_endpoint"),
        "of the whole server; Temporal's clients have them, too",
    ),
    **dict.fromkeys(
        (
            "list_deployments",
            "describe_deployment",
            "set_current_version",
            "set_ramping_version",
            "delete_version",
            "delete_deployment",
        ),
        "of Temporal's workers, whose clients have them, too",
    ),
    **dict.fromkeys(("get_server", "list_problems", "get_problem"), "about REST itself"),
}


@pytest.mark.parametrize("kind", CLIENT, ids=lambda kind: kind.__name__)
def test_every_method_of_the_client_has_its_operation(kind):
    public = {name for name in dir(kind) if not name.startswith("_")}
    assert set(CLIENT[kind]) == public
    assert set(CLIENT[kind].values()) - {HERE} <= {operation.name for operation in OPERATIONS}


def test_every_operation_is_the_clients_or_has_a_reason():
    of_client = {name for table in CLIENT.values() for name in table.values()} - {HERE}
    assert of_client | set(ONLY_REST) == {operation.name for operation in OPERATIONS}
