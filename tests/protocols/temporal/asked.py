"""Each method of Temporal's services that is served: a request that says enough to be looked at, who may send it, and what the
audit log calls it if it is an administrative act."""

from collections.abc import Mapping
from typing import Any

import msgspec
from google.protobuf.json_format import ParseDict
from temporalio.api.operatorservice.v1 import request_response_pb2 as operator
from temporalio.api.workflowservice.v1 import request_response_pb2 as workflow

from perdure.model.access import Permission
from perdure.protocols.temporal.service_old_versioning import DISABLED
from perdure.protocols.temporal.services import OPERATOR_METHODS, WORKFLOW_METHODS
from perdure.protocols.temporal.tokens import ActivityToken, QueryToken, TurnToken, encode

READ, OPERATE, WORK, ADMINISTER = Permission.READ, Permission.OPERATE, Permission.WORK, Permission.ADMINISTER

EXECUTION: dict[str, Any] = {"workflowId": "w"}
OF_RUN: dict[str, Any] = {"workflowExecution": EXECUTION}
START: dict[str, Any] = {"workflowId": "w", "workflowType": {"name": "Anything"}, "taskQueue": {"name": "q"}}
UPDATE: dict[str, Any] = {
    "workflowExecution": EXECUTION,
    "waitPolicy": {"lifecycleStage": "UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ACCEPTED"},
    "request": {"meta": {"updateId": "u"}, "input": {"name": "tell"}},
}
QUEUE: dict[str, Any] = {"taskQueue": {"name": "q"}}
VERSION: dict[str, Any] = {"deploymentName": "d", "buildId": "1"}
ENDPOINT: dict[str, Any] = {"name": "orders", "target": {"worker": {"namespace": "default", "taskQueue": "q"}}}
SCHEDULE: dict[str, Any] = {
    "scheduleId": "s",
    "requestId": "r",
    "schedule": {"spec": {"interval": [{"interval": "3600s"}]}, "action": {"startWorkflow": START}},
}
BATCH: dict[str, Any] = {
    "jobId": "b",
    "visibilityQuery": "WorkflowType = 'Nothing'",
    "reason": "enough",
    "terminationOperation": {"identity": "me"},
}


class Asked(msgspec.Struct, frozen=True):
    """A request. ``anywhere`` concerns no one namespace: an admin's right must hold in all, and anybody may look."""

    any_of: tuple[Permission, ...]
    fields: Mapping[str, Any] = {}
    act: str = ""
    anywhere: bool = False


def _needs(*any_of: Permission, act: str = "", anywhere: bool = False, **fields: Any) -> Asked:
    return Asked(any_of, fields, act, anywhere)


ASKED: Mapping[str, Asked] = {
    # The server and its namespaces.
    "GetSystemInfo": _needs(READ, anywhere=True),
    "GetClusterInfo": _needs(READ, anywhere=True),
    "ListClusters": _needs(READ, anywhere=True),
    "ListNamespaces": _needs(READ, anywhere=True),
    "DescribeNamespace": _needs(READ),
    "RegisterNamespace": _needs(ADMINISTER, act="set_namespace", anywhere=True, namespace="another"),
    "UpdateNamespace": _needs(ADMINISTER, act="set_namespace", anywhere=True),
    "DeleteNamespace": _needs(ADMINISTER, act="delete_namespace", anywhere=True, namespace="another"),
    "GetSearchAttributes": _needs(READ),
    "ListSearchAttributes": _needs(READ),
    "AddSearchAttributes": _needs(
        ADMINISTER, act="add_search_attributes", searchAttributes={"Amount": "INDEXED_VALUE_TYPE_INT"}
    ),
    "RemoveSearchAttributes": _needs(ADMINISTER, act="remove_search_attributes", searchAttributes=["Nothing"]),
    "CreateNexusEndpoint": _needs(ADMINISTER, act="create_nexus_endpoint", anywhere=True, spec=ENDPOINT),
    "UpdateNexusEndpoint": _needs(ADMINISTER, act="update_nexus_endpoint", anywhere=True, spec=ENDPOINT),
    "DeleteNexusEndpoint": _needs(ADMINISTER, act="delete_nexus_endpoint", anywhere=True, id="x"),
    "GetNexusEndpoint": _needs(READ, anywhere=True, id="x"),
    "ListNexusEndpoints": _needs(READ, anywhere=True),
    # Runs.
    "StartWorkflowExecution": _needs(OPERATE, **START),
    "SignalWithStartWorkflowExecution": _needs(OPERATE, signalName="tell", **START),
    "ExecuteMultiOperation": _needs(
        OPERATE,
        operations=[
            {"startWorkflow": {**START, "namespace": "default", "workflowIdConflictPolicy": 2}},
            {"updateWorkflow": {**UPDATE, "namespace": "default"}},
        ],
    ),
    "SignalWorkflowExecution": _needs(OPERATE, signalName="tell", **OF_RUN),
    "UpdateWorkflowExecution": _needs(OPERATE, **UPDATE),
    "PollWorkflowExecutionUpdate": _needs(
        OPERATE,
        updateRef={"workflowExecution": EXECUTION, "updateId": "u"},
        waitPolicy=UPDATE["waitPolicy"],
    ),
    "RequestCancelWorkflowExecution": _needs(OPERATE, **OF_RUN),
    "UpdateWorkflowExecutionOptions": _needs(
        OPERATE,
        act="UpdateWorkflowOptions",
        **OF_RUN,
        workflowExecutionOptions={},
        updateMask="versioningOverride",
    ),
    "PauseWorkflowExecution": _needs(OPERATE, workflowId="w"),
    "UnpauseWorkflowExecution": _needs(OPERATE, workflowId="w"),
    "ResetWorkflowExecution": _needs(
        OPERATE, act="reset", reason="again", requestId="r", workflowTaskFinishEventId=2, **OF_RUN
    ),
    "TerminateWorkflowExecution": _needs(OPERATE, act="TerminateWorkflow", **OF_RUN),
    "DeleteWorkflowExecution": _needs(OPERATE, act="delete", **OF_RUN),
    "DescribeWorkflowExecution": _needs(READ, execution=EXECUTION),
    "QueryWorkflow": _needs(READ, execution=EXECUTION, query={"queryType": "is_done"}),
    "GetWorkflowExecutionHistory": _needs(READ, execution=EXECUTION),
    "GetWorkflowExecutionHistoryReverse": _needs(READ, execution=EXECUTION),
    "ListWorkflowExecutions": _needs(READ),
    "ScanWorkflowExecutions": _needs(READ),
    "CountWorkflowExecutions": _needs(READ),
    "ListOpenWorkflowExecutions": _needs(READ),
    "ListClosedWorkflowExecutions": _needs(READ),
    # Workers.
    "PollWorkflowTaskQueue": _needs(WORK, **QUEUE),
    "RespondWorkflowTaskCompleted": _needs(WORK),
    "RespondWorkflowTaskFailed": _needs(WORK),
    "RespondQueryTaskCompleted": _needs(WORK),
    "ResetStickyTaskQueue": _needs(WORK, execution=EXECUTION),
    "ShutdownWorker": _needs(WORK, stickyTaskQueue="mine"),
    "PollNexusTaskQueue": _needs(WORK, **QUEUE),
    "RespondNexusTaskCompleted": _needs(WORK, taskToken="eA=="),
    "RespondNexusTaskFailed": _needs(WORK, taskToken="eA=="),
    "PollActivityTaskQueue": _needs(WORK, **QUEUE),
    "RecordActivityTaskHeartbeat": _needs(WORK, OPERATE),
    "RespondActivityTaskCompleted": _needs(WORK, OPERATE),
    "RespondActivityTaskFailed": _needs(WORK, OPERATE),
    "RespondActivityTaskCanceled": _needs(WORK, OPERATE),
    "RecordActivityTaskHeartbeatById": _needs(WORK, OPERATE, workflowId="w", activityId="a"),
    "RespondActivityTaskCompletedById": _needs(WORK, OPERATE, workflowId="w", activityId="a"),
    "RespondActivityTaskFailedById": _needs(WORK, OPERATE, workflowId="w", activityId="a"),
    "RespondActivityTaskCanceledById": _needs(WORK, OPERATE, workflowId="w", activityId="a"),
    "PauseActivity": _needs(OPERATE, execution=EXECUTION, id="a"),
    "UnpauseActivity": _needs(OPERATE, execution=EXECUTION, id="a"),
    "ResetActivity": _needs(OPERATE, act="ResetActivity", execution=EXECUTION, id="a"),
    "UpdateActivityOptions": _needs(  # written down once there is an activity
        OPERATE,
        execution=EXECUTION,
        id="a",
        activityOptions={"startToCloseTimeout": "5s"},
        updateMask="startToCloseTimeout",
    ),
    # Standalone activities; the last four calls are for activities of runs as well.
    "StartActivityExecution": _needs(
        OPERATE, activityId="a", activityType={"name": "t"}, startToCloseTimeout="5s", **QUEUE
    ),
    "DescribeActivityExecution": _needs(READ, activityId="a"),
    "PollActivityExecution": _needs(READ, activityId="a"),
    "ListActivityExecutions": _needs(READ),
    "CountActivityExecutions": _needs(READ),
    "RequestCancelActivityExecution": _needs(OPERATE, activityId="a"),
    "TerminateActivityExecution": _needs(OPERATE, activityId="none"),  # written down once there is an activity
    "DeleteActivityExecution": _needs(OPERATE, activityId="none"),
    "PauseActivityExecution": _needs(OPERATE, activityId="a"),
    "UnpauseActivityExecution": _needs(OPERATE, activityId="a"),
    "ResetActivityExecution": _needs(OPERATE, act="ResetActivity", workflowId="w", activityId="a"),
    "UpdateActivityExecutionOptions": _needs(
        OPERATE,
        workflowId="w",
        activityId="a",
        activityOptions={"startToCloseTimeout": "5s"},
        updateMask="startToCloseTimeout",
    ),
    # Standalone Nexus operations.
    "StartNexusOperationExecution": _needs(OPERATE, operationId="o", endpoint="orders", service="s", operation="op"),
    "DescribeNexusOperationExecution": _needs(READ, operationId="o"),
    "PollNexusOperationExecution": _needs(READ, operationId="o"),
    "ListNexusOperationExecutions": _needs(READ),
    "CountNexusOperationExecutions": _needs(READ),
    "RequestCancelNexusOperationExecution": _needs(OPERATE, operationId="o"),
    "TerminateNexusOperationExecution": _needs(OPERATE, operationId="none"),  # written down once there is one
    "DeleteNexusOperationExecution": _needs(OPERATE, operationId="none"),
    "DescribeTaskQueue": _needs(READ, **QUEUE),
    "ListTaskQueuePartitions": _needs(READ, **QUEUE),
    # Versions of workers.
    "DescribeWorkerDeployment": _needs(READ, deploymentName="d"),
    "DescribeWorkerDeploymentVersion": _needs(READ, deploymentVersion=VERSION),
    "ListWorkerDeployments": _needs(READ),
    "SetWorkerDeploymentCurrentVersion": _needs(OPERATE, act="set_current_version", deploymentName="d", buildId="1"),
    "SetWorkerDeploymentRampingVersion": _needs(OPERATE, act="set_ramping_version", deploymentName="d", buildId="1"),
    "SetWorkerDeploymentManager": _needs(OPERATE, act="set_deployment_manager", deploymentName="d"),
    "UpdateWorkerDeploymentVersionMetadata": _needs(
        OPERATE, act="set_version_metadata", deploymentVersion=VERSION, removeEntries=["team"]
    ),
    "DeleteWorkerDeploymentVersion": _needs(OPERATE, act="delete_version", deploymentVersion=VERSION),
    "DeleteWorkerDeployment": _needs(OPERATE, act="delete_deployment", deploymentName="d"),
    # What nobody is let do.
    **{name: _needs() for name in DISABLED},
    # Schedules and batches, which are runs of the engine's own.
    "CreateSchedule": _needs(OPERATE, act="create_schedule", **SCHEDULE),
    "UpdateSchedule": _needs(OPERATE, act="update_schedule", **SCHEDULE),
    "PatchSchedule": _needs(OPERATE, act="pause_schedule", scheduleId="s", patch={"pause": "lunch"}),
    "DeleteSchedule": _needs(OPERATE, act="delete_schedule", scheduleId="s"),
    "DescribeSchedule": _needs(READ, scheduleId="s"),
    "ListSchedules": _needs(READ),
    "CountSchedules": _needs(READ),
    "ListScheduleMatchingTimes": _needs(
        READ, scheduleId="s", startTime="2026-01-01T00:00:00Z", endTime="2026-01-02T00:00:00Z"
    ),
    "StartBatchOperation": _needs(OPERATE, act="create_batch", **BATCH),
    "StopBatchOperation": _needs(OPERATE, act="stop_batch", jobId="b", reason="enough"),
    "DescribeBatchOperation": _needs(READ, jobId="b"),
    "ListBatchOperations": _needs(READ),
}

SERVED = [*WORKFLOW_METHODS, *OPERATOR_METHODS]


def request(name: str, namespace: str = "default") -> Any:
    """The request of a method, about a namespace unless it says itself about which."""
    module: Any = operator if name in OPERATOR_METHODS else workflow
    message = ParseDict(dict(ASKED[name].fields), getattr(module, f"{name}Request")())
    fields = message.DESCRIPTOR.fields_by_name
    if "namespace" in fields and not message.namespace:
        message.namespace = namespace
    for operation in getattr(message, "operations", ()):
        for part in (operation.start_workflow, operation.update_workflow):
            part.namespace = namespace if part.namespace else ""
    if "task_token" in fields and fields["task_token"].type == fields["task_token"].TYPE_BYTES:
        message.task_token = encode(_token(name, namespace))
    return message


def _token(name: str, namespace: str) -> Any:
    if name.startswith("RespondWorkflowTask"):
        return TurnToken(namespace, "w", "r", 3, 1)
    if name == "RespondQueryTaskCompleted":
        return QueryToken(namespace, 1)
    return ActivityToken(namespace, "w", "r", 5, 1)
