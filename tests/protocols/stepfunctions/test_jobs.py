"""Jobs of services that a task waits for: the table against AWS's own description of them, and two of them at work."""

import asyncio
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

import botocore.session
import pytest
from tests.protocols.stepfunctions.conftest import Client
from tests.protocols.stepfunctions.test_executions import ended, machine, task

from perdure.protocols.stepfunctions.calling.failures import TaskFailed
from perdure.protocols.stepfunctions.calling.jobs import JOBS, RENAMED, poll_request

BOTO_NAMES = {"elasticmapreduce": "emr"}


def operation(model, action):
    return model.operation_model(action[:1].upper() + action[1:])


def member(shape, name):
    """A member by its name, whatever its first letter is like."""
    if isinstance(name, int):
        return shape.member
    (found,) = [inner for key, inner in shape.members.items() if key[:1].upper() + key[1:] == name]
    return found


@pytest.mark.parametrize(("service", "action"), sorted(JOBS))
def test_a_row_is_as_aws_describes_it(service, action):
    model = botocore.session.get_session().get_service_model(BOTO_NAMES.get(service, service))
    job = JOBS[service, action]
    renamed = RENAMED.get((service, action))
    assert operation(model, renamed.action if renamed else action)
    look = operation(model, job.look)
    answer: dict[str, object] = {
        "JobId": "1",
        "TaskArn": "t",
        "Build": {"Id": "b"},
        "BuildBatch": {"Id": "b"},
        "Job": {"Id": "j"},
    }
    ids = ("QueryExecutionId", "JobArn", "RunId", "StepId", "ClusterId", "JobRunId")
    answer |= dict.fromkeys(ids, "1") | {"Tasks": [{"TaskArn": "t"}]}
    names = [f"{kind}Name" for kind in ("HyperParameterTuningJob", "ProcessingJob", "TrainingJob", "TransformJob")]
    asked = dict.fromkeys(("Name", "JobName", "Cluster", "ClusterId", "ApplicationId", *names), "n")
    request = poll_request(job, asked, answer)
    known = {name[:1].upper() + name[1:] for name in look.input_shape.members}
    required = {name[:1].upper() + name[1:] for name in look.input_shape.required_members}
    assert required <= set(request) <= known, "the request is one that the service takes"
    if job.stop:
        stop = operation(model, job.stop).input_shape
        known = {name[:1].upper() + name[1:] for name in stop.members}
        required = {name[:1].upper() + name[1:] for name in stop.required_members}
        for one in job.stops(request):
            assert required <= set(one) <= known, "what stops it is a request that the service takes"
    shape = look.output_shape
    for step in (*job.inside, *job.status):
        shape = member(shape, step)
    enum = set(getattr(shape, "enum", ()))
    assert not enum or job.good | job.bad <= enum, "statuses are the service's own"


def test_a_task_of_ecs_is_as_good_as_its_containers():
    job = JOBS["ecs", "runTask"]

    def stopped(*codes):
        return {"Tasks": [{"LastStatus": "STOPPED", "Containers": [{"ExitCode": code} for code in codes]}]}

    assert job.result({"Tasks": [{"LastStatus": "PENDING"}]}) is None
    assert job.result(stopped(0, 0))["LastStatus"] == "STOPPED"
    with pytest.raises(TaskFailed, match="TaskFailed"):
        job.result(stopped(0, 1))
    with pytest.raises(TaskFailed, match="RESOURCE:MEMORY"):
        poll_request(job, {}, {"Tasks": [], "Failures": [{"Reason": "RESOURCE:MEMORY"}]})


class Glue(NamedTuple):
    url: str
    stopped: list[str]
    asked: threading.Event
    may_answer: threading.Event


@pytest.fixture
def glue():
    """A Glue whose jobs take two looks; the first look finds nobody in, and ``bad`` fails. ``held`` begins as it is asked for,
    and says so only when it may."""
    looks: dict[str, int] = {}
    stopped: list[str] = []
    held, may_answer = threading.Event(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            status, answer = 200, {}
            if self.headers["x-amz-target"] == "AWSGlue.StartJobRun":
                answer = {"JobRunId": "jr_" + asked["JobName"]}
                if asked["JobName"] == "none":
                    status, answer = 400, {"__type": "EntityNotFoundException", "Message": "There is no such job."}
                if asked["JobName"] == "slow-held":
                    held.set()
                    may_answer.wait(60)
            elif self.headers["x-amz-target"] == "AWSGlue.BatchStopJobRun":
                stopped.extend(asked["JobRunIds"])
            else:
                run = asked["RunId"]
                looks[run] = looks.get(run, 0) + 1
                state = "RUNNING" if looks[run] < 3 or "slow" in run else "FAILED" if "bad" in run else "SUCCEEDED"
                answer = {"JobRun": {"Id": run, "JobName": asked["JobName"], "JobRunState": state}}
                if looks[run] == 1:
                    status, answer = 503, {"__type": "ServiceUnavailable"}
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Glue(f"http://127.0.0.1:{server.server_port}", stopped, held, may_answer)
    may_answer.set()
    server.shutdown()
    server.server_close()


async def test_a_task_waits_for_its_job(serve, glue, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "111111111111")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "none")
    server = await serve(endpoints={"glue": glue.url}, wait_time_scale=0.01)
    client = Client(server.stepfunctions_port)

    async def run(name, **more):
        resource = "arn:aws:states:::glue:startJobRun.sync"
        arn = await machine(client, task(resource, Parameters={"JobName": name}, **more), name)
        execution = (await client.start_execution(stateMachineArn=arn))["executionArn"]
        found = await ended(client, execution)
        events = (await client.get_execution_history(executionArn=execution))["events"]
        return found, [event["type"] for event in events if event["type"].startswith("Task")]

    found, events = await run("good")
    assert json.loads(found["output"]) == {"Id": "jr_good", "JobName": "good", "JobRunState": "SUCCEEDED"}
    entered, left = "TaskStateEntered", "TaskStateExited"
    assert events == [entered, "TaskScheduled", "TaskStarted", "TaskSubmitted", "TaskSucceeded", left]
    found, events = await run("bad")
    assert (found["error"], json.loads(found["cause"])["JobRunState"]) == ("States.TaskFailed", "FAILED")
    assert events[-1] == "TaskFailed"
    found, events = await run("slow", TimeoutSeconds=1)
    assert (found["error"], events[-1]) == ("States.Timeout", "TaskTimedOut")
    while not glue.stopped:
        await asyncio.sleep(0.01)
    assert glue.stopped == ["jr_slow"], "those that have ended are left alone"


async def test_a_job_that_nobody_waits_for_any_more_is_stopped(serve, glue, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "111111111111")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "none")
    server = await serve(endpoints={"glue": glue.url}, wait_time_scale=0.01)
    client = Client(server.stepfunctions_port)

    def job(name):
        state = {"Type": "Task", "Resource": "arn:aws:states:::glue:startJobRun.sync", "Parameters": {"JobName": name}}
        return {"StartAt": name, "States": {name: {**state, "End": True}}}

    fail = {"StartAt": "F", "States": {"W": {"Type": "Wait", "Seconds": 200, "Next": "G"}, "G": {"Type": "Fail"}}}
    fail["StartAt"] = "W"
    both = {"Type": "Parallel", "Branches": [job("slow-branch"), fail], "End": True}
    arns = [
        await machine(client, json.dumps(job("slow-stop")), "one"),
        await machine(client, json.dumps({**job("slow-late"), "TimeoutSeconds": 2}), "two"),
        await machine(client, json.dumps({"StartAt": "B", "States": {"B": both}}), "three"),
    ]
    executions = [(await client.start_execution(stateMachineArn=arn))["executionArn"] for arn in arns]

    async def is_waiting():
        events = (await client.get_execution_history(executionArn=executions[0]))["events"]
        return events[-1]["type"] == "TaskSubmitted"

    while not await is_waiting():
        await asyncio.sleep(0.01)
    await client.stop_execution(executionArn=executions[0])
    assert [(await ended(client, arn))["status"] for arn in executions] == ["ABORTED", "TIMED_OUT", "FAILED"]
    while len(glue.stopped) < 3:
        await asyncio.sleep(0.01)
    assert sorted(glue.stopped) == ["jr_slow-branch", "jr_slow-late", "jr_slow-stop"]
    assert len((await client.list_executions(stateMachineArn=arns[0]))["executions"]) == 1


@pytest.mark.parametrize("end", ["stopped", "late", "given up"])
async def test_a_job_that_is_not_wanted_before_the_service_has_answered_is_stopped(serve, glue, monkeypatch, end):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "111111111111")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "none")
    server = await serve(endpoints={"glue": glue.url}, wait_time_scale=0.01)
    client = Client(server.stepfunctions_port)
    resource = "arn:aws:states:::glue:startJobRun.sync"
    # A time-out that may pass before the service is asked: then there is no job, and the next attempt has one.
    late = (
        {"TimeoutSeconds": 1, "Retry": [{"ErrorEquals": ["States.Timeout"], "MaxAttempts": 9}]} if end == "late" else {}
    )
    definition = task(resource, Parameters={"JobName": "slow-held"}, **late)
    if end == "given up":
        hold = {"Type": "Wait", "Seconds": 200, "Next": "F"}
        fails = {"StartAt": "W", "States": {"W": hold, "F": {"Type": "Fail"}}}
        both = {"Type": "Parallel", "Branches": [json.loads(definition), fails], "End": True}
        definition = json.dumps({"StartAt": "B", "States": {"B": both}})
    arn = await machine(client, definition, "one")
    execution = (await client.start_execution(stateMachineArn=arn))["executionArn"]
    assert await asyncio.to_thread(glue.asked.wait, 60)
    if end == "stopped":
        await client.stop_execution(executionArn=execution)
    elif end == "given up":
        assert (await ended(client, execution))["status"] == "FAILED"
    else:

        async def is_late():
            events = (await client.get_execution_history(executionArn=execution))["events"]
            return any(event["type"] == "TaskTimedOut" for event in events)

        while not await is_late():
            await asyncio.sleep(0.01)
        await client.stop_execution(executionArn=execution)
    assert not glue.stopped
    glue.may_answer.set()
    while not glue.stopped:
        await asyncio.sleep(0.01)
    assert set(glue.stopped) == {"jr_slow-held"}


async def test_what_the_service_refuses_fails_the_task(serve, glue, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "111111111111")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "none")
    server = await serve(endpoints={"glue": glue.url})
    client = Client(server.stepfunctions_port)
    caught = {"Catch": [{"ErrorEquals": ["Glue.EntityNotFoundException"], "Next": "C"}]}
    one = json.loads(task("arn:aws:states:::glue:startJobRun.sync", Parameters={"JobName": "none"}, **caught))
    one["States"]["C"] = {"Type": "Pass", "End": True}
    execution = (await client.start_execution(stateMachineArn=await machine(client, json.dumps(one), "refused")))[
        "executionArn"
    ]
    found = await ended(client, execution)
    assert (found["status"], json.loads(found["output"])["Error"]) == ("SUCCEEDED", "Glue.EntityNotFoundException")
    events = (await client.get_execution_history(executionArn=execution))["events"]
    assert [event["type"] for event in events if event["type"].startswith("Task")] == [
        "TaskStateEntered",
        "TaskScheduled",
        "TaskStarted",
        "TaskFailed",
        "TaskStateExited",
    ]
    del one["States"]["T"]["Catch"], one["States"]["C"]
    arn = await machine(client, json.dumps(one), "redriven")
    execution = (await client.start_execution(stateMachineArn=arn))["executionArn"]
    assert (await ended(client, execution))["error"] == "Glue.EntityNotFoundException"
    await client.redrive_execution(executionArn=execution)
    assert (await ended(client, execution))["error"] == "Glue.EntityNotFoundException"
    events = (await client.get_execution_history(executionArn=execution))["events"]
    assert [event["type"] for event in events].count("TaskScheduled") == 2


async def test_a_nested_execution_is_waited_for_no_longer_than_its_time(client):
    wait = {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 600, "End": True}}}
    inner = await machine(client, json.dumps(wait), "inner")
    resource = "arn:aws:states:::states:startExecution.sync"
    outer = await machine(client, task(resource, Parameters={"StateMachineArn": inner}, TimeoutSeconds=1), "outer")
    found = await ended(client, (await client.start_execution(stateMachineArn=outer))["executionArn"])
    assert found["error"] == "States.Timeout"
    (listed,) = (await client.list_executions(stateMachineArn=inner))["executions"]
    assert (await ended(client, listed["executionArn"]))["status"] == "ABORTED"
