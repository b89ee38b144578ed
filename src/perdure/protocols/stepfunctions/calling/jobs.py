"""Jobs of AWS's services that a task waits for with ``.sync``: how each is looked at, and how it ends.

A row of ``JOBS`` is all that there is to know of one. Requests and answers are as states have them, with capital letters.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from perdure.protocols.stepfunctions.calling.failures import TaskFailed

Members = Mapping[str, Any]

FAILED = "States.TaskFailed"
"""The error of a job that has failed."""


@dataclass(frozen=True)
class Job:
    """What a call begins.

    Args:
        look: the call that says how it stands.
        request: of that call, made from what was asked for and what the service answered.
        inside: where the job is in the answer: names of members, and 0 for the first of a list.
        status: where the job's status is in it.
        good, bad: statuses with which it has ended.
        shown: the result's one member, which holds the job; the result is the job itself without.
        stop: the call that stops it; empty if nothing does.
        stops: the requests of that call, made from the one that looks.
    """

    look: str
    request: Callable[[Members, Members], dict[str, Any]]
    inside: tuple[str | int, ...]
    status: tuple[str, ...]
    good: frozenset[str]
    bad: frozenset[str]
    shown: str = ""
    stop: str = ""
    stops: Callable[[Members], list[dict[str, Any]]] = lambda poll: [dict(poll)]

    def result(self, answer: Members) -> Any:
        """What the task gives; None while the job goes on. Raises ``TaskFailed`` for a job that has failed."""
        job = _inside(answer, self.inside)
        status = _inside(job, self.status)
        if isinstance(job, Mapping):
            job = {name: value for name, value in job.items() if not name.startswith("Sdk")}
        if status in self.bad or (status in self.good and _has_failed_containers(job)):
            raise TaskFailed(FAILED, json.dumps(job, separators=(",", ":"), ensure_ascii=False))
        if status not in self.good:
            return None
        return {self.shown: job} if self.shown else job


def _inside(value: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _has_failed_containers(job: Any) -> bool:
    """A task of ECS has stopped, whether its containers did well or not."""
    containers = (job.get("Containers") or []) if isinstance(job, Mapping) else []
    return any(container.get("ExitCode", 1) for container in containers)


def _of(*, asked: Mapping[str, str] | None = None, answered: Mapping[str, str] | None = None) -> Any:
    """A request whose members are members of what was asked for, and of what was answered."""

    def made(request: Members, answer: Members) -> dict[str, Any]:
        found = {name: request.get(source) for name, source in (asked or {}).items()}
        found |= {name: answer.get(source) for name, source in (answered or {}).items()}
        return {name: value for name, value in found.items() if value is not None}

    return made


def _words(*words: str) -> frozenset[str]:
    return frozenset(words)


def _sagemaker(kind: str) -> Job:
    name, status = f"{kind}Name", f"{kind}Status"
    return Job(
        f"describe{kind}",
        _of(asked={name: name}),
        (),
        (status,),
        _words("Completed"),
        _words("Failed", "Stopped"),
        stop=f"stop{kind}",
    )


_BUILT = _words("SUCCEEDED")
_NOT_BUILT = _words("FAILED", "FAULT", "STOPPED", "TIMED_OUT")
_RAN = _words("SUCCEEDED")

JOBS: Mapping[tuple[str, str], Job] = {
    ("athena", "startQueryExecution"): Job(
        "getQueryExecution",
        _of(answered={"QueryExecutionId": "QueryExecutionId"}),
        ("QueryExecution",),
        ("Status", "State"),
        _RAN,
        _words("FAILED", "CANCELLED"),
        "QueryExecution",
        "stopQueryExecution",
    ),
    ("batch", "submitJob"): Job(
        "describeJobs",
        lambda _, answer: {"Jobs": [answer["JobId"]]},
        ("Jobs", 0),
        ("Status",),
        _RAN,
        _words("FAILED"),
        stop="terminateJob",
        stops=lambda poll: [{"JobId": poll["Jobs"][0], "Reason": "The task that waited for it has ended."}],
    ),
    ("bedrock", "createModelCustomizationJob"): Job(
        "getModelCustomizationJob",
        _of(answered={"JobIdentifier": "JobArn"}),
        (),
        ("Status",),
        _words("Completed"),
        _words("Failed", "Stopped"),
        stop="stopModelCustomizationJob",
    ),
    ("codebuild", "startBuild"): Job(
        "batchGetBuilds",
        lambda _, answer: {"Ids": [answer["Build"]["Id"]]},
        ("Builds", 0),
        ("BuildStatus",),
        _BUILT,
        _NOT_BUILT,
        "Build",
        "stopBuild",
        lambda poll: [{"Id": poll["Ids"][0]}],
    ),
    ("codebuild", "startBuildBatch"): Job(
        "batchGetBuildBatches",
        lambda _, answer: {"Ids": [answer["BuildBatch"]["Id"]]},
        ("BuildBatches", 0),
        ("BuildBatchStatus",),
        _BUILT,
        _NOT_BUILT,
        "BuildBatch",
        "stopBuildBatch",
        lambda poll: [{"Id": poll["Ids"][0]}],
    ),
    ("databrew", "startJobRun"): Job(
        "describeJobRun",
        _of(asked={"Name": "Name"}, answered={"RunId": "RunId"}),
        (),
        ("State",),
        _RAN,
        _words("FAILED", "STOPPED", "TIMEOUT"),
        stop="stopJobRun",
    ),
    ("ecs", "runTask"): Job(
        "describeTasks",
        lambda asked, answer: {
            **({"Cluster": asked["Cluster"]} if asked.get("Cluster") else {}),
            "Tasks": [task["TaskArn"] for task in answer["Tasks"]],
        },
        ("Tasks", 0),
        ("LastStatus",),
        _words("STOPPED"),
        frozenset(),
        stop="stopTask",
        stops=lambda poll: [
            {**{name: poll[name] for name in poll if name == "Cluster"}, "Task": task} for task in poll["Tasks"]
        ],
    ),
    ("elasticmapreduce", "addStep"): Job(
        "describeStep",
        _of(asked={"ClusterId": "ClusterId"}, answered={"StepId": "StepId"}),
        ("Step",),
        ("Status", "State"),
        _words("COMPLETED"),
        _words("CANCELLED", "FAILED", "INTERRUPTED"),
        "Step",
        "cancelSteps",
        lambda poll: [{"ClusterId": poll["ClusterId"], "StepIds": [poll["StepId"]]}],
    ),
    ("elasticmapreduce", "createCluster"): Job(
        "describeCluster",
        _of(answered={"ClusterId": "ClusterId"}),
        ("Cluster",),
        ("Status", "State"),
        _words("RUNNING", "WAITING"),
        _words("TERMINATING", "TERMINATED", "TERMINATED_WITH_ERRORS"),
        "Cluster",
        "terminateJobFlows",
        lambda poll: [{"JobFlowIds": [poll["ClusterId"]]}],
    ),
    ("elasticmapreduce", "terminateCluster"): Job(
        "describeCluster",
        _of(asked={"ClusterId": "ClusterId"}),
        ("Cluster",),
        ("Status", "State"),
        _words("TERMINATED"),
        _words("TERMINATED_WITH_ERRORS"),
        "Cluster",
    ),
    ("emr-serverless", "startJobRun"): Job(
        "getJobRun",
        _of(asked={"ApplicationId": "ApplicationId"}, answered={"JobRunId": "JobRunId"}),
        ("JobRun",),
        ("State",),
        _words("SUCCESS"),
        _words("FAILED", "CANCELLED"),
        "JobRun",
        "cancelJobRun",
    ),
    ("glue", "startJobRun"): Job(
        "getJobRun",
        _of(asked={"JobName": "JobName"}, answered={"RunId": "JobRunId"}),
        ("JobRun",),
        ("JobRunState",),
        _RAN,
        _words("ERROR", "EXPIRED", "FAILED", "STOPPED", "TIMEOUT"),
        stop="batchStopJobRun",
        stops=lambda poll: [{"JobName": poll["JobName"], "JobRunIds": [poll["RunId"]]}],
    ),
    ("mediaconvert", "createJob"): Job(
        "getJob",
        lambda _, answer: {"Id": answer["Job"]["Id"]},
        ("Job",),
        ("Status",),
        _words("COMPLETE"),
        _words("CANCELED", "ERROR"),
        "Job",
        "cancelJob",
    ),
    ("sagemaker", "createHyperParameterTuningJob"): _sagemaker("HyperParameterTuningJob"),
    ("sagemaker", "createProcessingJob"): _sagemaker("ProcessingJob"),
    ("sagemaker", "createTrainingJob"): _sagemaker("TrainingJob"),
    ("sagemaker", "createTransformJob"): _sagemaker("TransformJob"),
}
"""By the service and the action of a resource."""


def poll_request(job: Job, parameters: Any, answer: Members) -> dict[str, Any]:
    """The request that looks at a job, once it has begun. Raises ``TaskFailed`` if it has not."""
    if answer.get("Failures") and not answer.get("Tasks"):
        # ECS answers so where it found no place for the task.
        raise TaskFailed("AmazonECS.Unknown", json.dumps(answer["Failures"], separators=(",", ":")))
    asked = {name[:1].upper() + name[1:]: value for name, value in (parameters or {}).items()}
    try:
        return job.request(asked, answer)
    except (KeyError, TypeError) as error:
        raise TaskFailed("States.Runtime", f"The service's answer does not say what it began: {error}.") from None


@dataclass(frozen=True)
class Renamed:
    """A call that a state names otherwise than its service.

    Args:
        action: the service's.
        request: makes the request out of the state's.
        answer: makes the state's answer out of the service's.
    """

    action: str
    request: Callable[[Members], dict[str, Any]]
    answer: Callable[[Members], dict[str, Any]]


RENAMED: Mapping[tuple[str, str], Renamed] = {
    ("elasticmapreduce", "addStep"): Renamed(
        "addJobFlowSteps",
        lambda asked: {"JobFlowId": asked.get("ClusterId"), "Steps": [asked.get("Step")]},
        lambda answer: {**_sdk(answer), "StepId": _inside(answer, ("StepIds", 0))},
    ),
    ("elasticmapreduce", "createCluster"): Renamed(
        "runJobFlow",
        dict,
        lambda answer: {**_sdk(answer), "ClusterId": answer.get("JobFlowId"), "ClusterArn": answer.get("ClusterArn")},
    ),
    ("elasticmapreduce", "terminateCluster"): Renamed(
        "terminateJobFlows", lambda asked: {"JobFlowIds": [asked.get("ClusterId")]}, dict
    ),
}
"""Step Functions' own names of some of EMR's calls."""


def _sdk(answer: Members) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name.startswith("Sdk")}
