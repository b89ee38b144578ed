"""The Task state: somebody else does the work, as an activity.

Who that is, is in ``_target``: a worker of a task queue, or the engine's own, which makes calls to the outside. A
service with ``.waitForTaskToken`` has a second activity, that stands for the token; one with ``.sync`` may have a child
workflow, if what it starts is another machine.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from perdure.languages.asl import calls, jobs, keepers, paths, state_data, task_events, templates
from perdure.languages.asl.data import MOST_BYTES, Data, decode, encode
from perdure.languages.asl.execution import TASK_QUEUE, TOKEN_TYPE
from perdure.languages.asl.failure import StateFailure, query_evaluation
from perdure.languages.asl.json_text import compact
from perdure.languages.asl.nested import described, start_command
from perdure.languages.asl.resources import Resource, resource_of
from perdure.languages.asl.said import Said, said, too_large
from perdure.languages.asl.states.kind import Kind
from perdure.languages.asl.tokens import token_of
from perdure.model import commands as c
from perdure.model import events as e
from perdure.model.failures import Failure, TimeoutType
from perdure.model.payloads import Payload

if TYPE_CHECKING:
    from perdure.languages.asl.definition import State
    from perdure.languages.asl.interpreter import Interpreter
    from perdure.languages.asl.lines import Line
    from perdure.languages.asl.scope import Scope

TASK = "task"
TOKEN = ":token"
CHILD = ":child"
INVOKE = "arn:aws:states:::lambda:invoke"


class Task(Kind):
    """Has an activity done, and takes its result."""

    def enter(self, run: Interpreter, line: Line, state: State) -> None:
        """As ``Kind.enter``."""
        self._ask(run, line, state)

    def _ask(self, run: Interpreter, line: Line, state: State, *, is_known: bool = False) -> None:
        """Have it done. ``is_known``: it was asked for before, and that was lost."""
        fields = state.fields
        resource = resource_of(fields["Resource"])
        if resource.text in run.execution.missing:
            raise StateFailure("States.Runtime", f"The activity {resource.text} does not exist.")
        has_token = resource.pattern == "waitForTaskToken"
        # The line waits from here on, so that what it waits for has a name; a failure below makes that void.
        name = run.wait(line, TASK)
        worked_on, credentials = line.input, None
        timeout, heartbeat = fields.get("TimeoutSeconds"), fields.get("HeartbeatSeconds")
        token = token_of(run.address, name + TOKEN) if has_token else ""
        if not state.is_fixed:
            scope = run.scope(line, state)
            if has_token:
                scope.context["Task"] = {"Token": token}
            if not state.is_plain:
                effective = state_data.effective_input(state, line.input.value, scope)
                scope.input = effective
                worked_on = run.data(line, state_data.arguments(state, effective, scope))
            timeout = seconds_of(state, scope, "TimeoutSeconds")
            heartbeat = seconds_of(state, scope, "HeartbeatSeconds")
            credentials = _credentials(state, scope)
        if not is_known:
            task_events.scheduled(run, line, resource, worked_on, timeout, heartbeat, credentials)
        if resource.pattern.startswith("sync") and timeout is not None:
            line.notes = {"until": run.now_ns + round(timeout * 1e9)}
        payload = Payload(worked_on.raw)
        target = _target(run, state, resource, worked_on)
        if target is not None and target[2] is not None:
            line.notes = {**line.notes, "wrapped": True}
        if target is None:
            call = calls.about(run, line, state, resource.text) | {"input": line.input.value}
            also = {"credentials": credentials, "timeout": timeout, "heartbeat": heartbeat}
            call |= {key: value for key, value in also.items() if value is not None}
            if has_token:
                call["token"] = token
            if _is_job(run, state, resource):
                keepers.begin(run, line, worked_on, call)
                jobs.limit_begin(run, line)
                return
            inputs: tuple[Payload, ...] = (payload, Payload(encode(call)))
            activity_type, queue = resource.text, TASK_QUEUE
        else:
            activity_type, queue, inputs = target[0], target[1] or run.task_queue, (target[2] or payload,)
        timeout_ns = 0 if timeout is None else round(timeout * 1e9)
        heartbeat_ns = 0 if heartbeat is None else round(heartbeat * 1e9)
        is_polled = resource.kind in ("activity", "name")
        run.commands.append(
            c.ScheduleActivityTask(
                name,
                activity_type,
                queue,
                inputs,
                schedule_to_close_timeout_ns=0 if is_polled or has_token else timeout_ns,
                start_to_close_timeout_ns=timeout_ns if is_polled else 0,
                heartbeat_timeout_ns=heartbeat_ns if is_polled else 0,
                retry_policy=calls.UNTIL_ANSWERED if target is None else calls.ONCE,
            )
        )
        if has_token:
            _wait_for_token(run, name, timeout, heartbeat)

    def activity_ended(self, run: Interpreter, line: Line, state: State, name: str, event: e.Event) -> None:
        """As ``Kind.activity_ended``."""
        resource = resource_of(state.fields["Resource"])
        if name.endswith(TOKEN):
            if event.__class__ is e.ActivityTaskFailed and _is_lost(event.failure):
                # Of a run that an older version began. Lost with the engine, before it had left: nobody has failed.
                told = _numbers(state, run, line)
                _wait_for_token(run, name, *told)
                return
            if "submitted" not in line.notes and event.__class__ is e.ActivityTaskCompleted:
                # The token came back before the call that carried it there.
                line.notes = {**line.notes, "early": event.result[0].data.decode() if event.result else "null"}
                run.lines.change(line)
                return
            if "submitted" not in line.notes:
                run.cancel_activity(name.removesuffix(TOKEN))
            self._take(run, line, state, resource, event)
            return
        if event.__class__ is e.ActivityTaskFailed and resource.kind == "activity" and _is_lost(event.failure):
            # Whoever took it is gone, or never heard of it: on AWS it would be waited for, here somebody else may have it.
            self._ask(run, line, state, is_known=True)
            return
        if event.__class__ is e.ActivityTaskCompleted and resource.pattern:
            answer = decode(event.result[0].data) if event.result else {}
            self._submitted(run, line, state, resource, answer if isinstance(answer, dict) else {"output": answer})
            return
        if resource.pattern == "waitForTaskToken":
            run.cancel_activity(name + TOKEN)
        if event.__class__ is e.ActivityTaskTimedOut:
            keepers.cancel(run, line)
        else:
            keepers.tell_over(run, line)
        self._take(run, line, state, resource, event)

    def child_changed(self, run: Interpreter, line: Line, state: State, name: str, event: e.Event) -> None:
        """As ``Kind.child_changed``."""
        resource = resource_of(state.fields["Resource"])
        if isinstance(event, e.ChildWorkflowExecutionStarted):
            return
        if name.endswith(keepers.JOB):
            if "submitted" not in line.notes:
                jobs.end_begin(run, line)
                self._failed(run, line, resource, _why_not(run, event, resource))
            return
        is_parsed = resource.pattern == "sync:2"
        output, failure = described(line.notes["child"], event, is_parsed=is_parsed)
        jobs.end_limit(run, line)
        if failure is None:
            self._succeeded(run, line, state, resource, Data(output))
        else:
            self._failed(run, line, resource, failure)

    def job_begun(self, run: Interpreter, line: Line, state: State, answer: dict[str, Any]) -> None:
        """As ``Kind.job_begun``."""
        jobs.end_begin(run, line)
        self._submitted(run, line, state, resource_of(state.fields["Resource"]), answer)

    def timer_fired(self, run: Interpreter, line: Line, state: State) -> None:
        """As ``Kind.timer_fired``: a job that is waited for is looked at again, or has taken too long."""
        resource = resource_of(state.fields["Resource"])
        if jobs.is_late(run, line):
            line.notes = {name: value for name, value in line.notes.items() if name in ("child", "keeper")}
            self.drop(run, line)
            error = Said("States.Timeout", "")
            task_events.timed_out(run, line, resource, error)
            raise error
        if "poll" in line.notes:
            jobs.look(run, line, state, resource)

    def drop(self, run: Interpreter, line: Line) -> None:
        """As ``Kind.drop``."""
        name = f"{line.id}:{line.sequence}"
        run.cancel_activity(name)
        run.cancel_activity(name + TOKEN)
        jobs.drop(run, line)
        keepers.cancel(run, line)
        if "child" in line.notes:
            run.cancel_child(name + CHILD)

    # --- how it ends

    def _submitted(
        self, run: Interpreter, line: Line, state: State, resource: Resource, answer: dict[str, Any]
    ) -> None:
        """The service has taken the call; what it began may go on."""
        name = f"{line.id}:{line.sequence}"
        if "submitted" in answer:
            task_events.submitted(run, line, resource, Data(answer["submitted"]))
        if "output" in answer:
            keepers.tell_over(run, line)
            if resource.pattern == "waitForTaskToken":
                run.cancel_activity(name + TOKEN)
            self._succeeded(run, line, state, resource, Data(answer["output"]))
        elif "start" in answer:
            command, child = start_command(base64.b64decode(answer["start"]), run.now_ns)
            line.notes = {**line.notes, "submitted": True, "child": child}
            run.start_child(name + CHILD, command)
            jobs.limit(run, line)
        elif "poll" in answer:
            if "stop" in answer and "keeper" not in line.notes:
                keepers.take_over(run, line, state, resource, answer)
            jobs.wait(run, line, answer["poll"])
        elif "early" in line.notes:
            self._succeeded(run, line, state, resource, Data.of(line.notes["early"].encode()))
        else:
            line.notes = {"submitted": True}
        run.lines.change(line)

    def _take(self, run: Interpreter, line: Line, state: State, resource: Resource, event: e.Event) -> None:
        """The activity that had the result has ended."""
        if resource.kind in ("activity", "name"):
            task_events.started(run, line, resource, run.identities.get(f"{line.id}:{line.sequence}", ""))
        match event:
            case e.ActivityTaskCompleted():
                value = Data.of(event.result[0].data or b"null") if event.result else Data(None)
                if line.notes.get("wrapped"):
                    value = Data({"ExecutedVersion": "$LATEST", "Payload": value.value, "StatusCode": 200})
                self._succeeded(run, line, state, resource, value)
            case e.ActivityTaskTimedOut(failure=failure):
                is_heartbeat = failure.timeout_type is TimeoutType.HEARTBEAT
                error = Said("States.HeartbeatTimeout" if is_heartbeat else "States.Timeout", "")
                task_events.timed_out(run, line, resource, error)
                raise error
            case e.ActivityTaskFailed(failure=failure):
                self._failed(run, line, resource, _error_of(run, failure, resource))
            case _:
                self._failed(run, line, resource, StateFailure("States.TaskFailed", "The task was cancelled."))

    def _succeeded(self, run: Interpreter, line: Line, state: State, resource: Resource, value: Data) -> None:
        if run.execution.is_strict and len(value.raw) > MOST_BYTES:
            self._failed(run, line, resource, too_large(resource.type or resource.text))
        task_events.succeeded(run, line, resource, value)
        run.succeed(line, state, value.value if not state.is_plain else value)

    def _failed(self, run: Interpreter, line: Line, resource: Resource, failure: StateFailure) -> None:
        task_events.failed(run, line, resource, failure)
        raise said(failure)


def _wait_for_token(run: Interpreter, name: str, timeout: float | None, heartbeat: float | None) -> None:
    run.commands.append(
        c.ScheduleActivityTask(
            name + TOKEN if not name.endswith(TOKEN) else name,
            TOKEN_TYPE,
            TASK_QUEUE,
            schedule_to_close_timeout_ns=0 if timeout is None else round(timeout * 1e9),
            heartbeat_timeout_ns=0 if heartbeat is None else round(heartbeat * 1e9),
            retry_policy=calls.UNTIL_SAID,
        )
    )


def _numbers(state: State, run: Interpreter, line: Line) -> tuple[float | None, float | None]:
    scope = run.scope(line, state)
    return seconds_of(state, scope, "TimeoutSeconds"), seconds_of(state, scope, "HeartbeatSeconds")


def _is_lost(failure: Failure) -> bool:
    return failure.type == "WorkerLost" and failure.source == "perdure"


def _is_job(run: Interpreter, state: State, resource: Resource) -> bool:
    """Whether it is begun by a keeper. Other executions are children themselves, and a mock begins nothing."""
    is_waited_for = resource.kind == "service" and resource.pattern == "sync"
    return is_waited_for and resource.type != "states" and state.name not in run.execution.mocked


def _why_not(run: Interpreter, event: e.Event, resource: Resource) -> StateFailure:
    """Why the keeper has not begun its job."""
    if isinstance(event, e.ChildWorkflowExecutionFailed):
        return _error_of(run, event.failure, resource)
    return StateFailure("States.TaskFailed", "The task was cancelled.")


def _target(
    run: Interpreter, state: State, resource: Resource, worked_on: Data
) -> tuple[str, str, Payload | None] | None:
    """Who serves it: the activity type, the task queue ("" for the run's) and, if it is another, the input. None for the
    engine's own worker."""
    if state.name in run.execution.mocked:
        return None
    function = _function(run, resource, worked_on)
    if function is not None:
        assert isinstance(worked_on.value, dict)
        return *function, Payload(encode(worked_on.value.get("Payload")))
    found = _served(run, resource.text)
    if found is not None:
        return *found, None
    if resource.kind == "name":
        return resource.text, "", None
    if resource.kind == "activity":
        return resource.text, resource.text, None
    return None


def _function(run: Interpreter, resource: Resource, worked_on: Data) -> tuple[str, str] | None:
    """Who answers in place of Lambda's Invoke call, if anybody does."""
    if resource.text != INVOKE or not isinstance(worked_on.value, dict):
        return None
    name = worked_on.value.get("FunctionName")
    return _served(run, name, is_function=True) if isinstance(name, str) and name else None


def _served(run: Interpreter, arn: str, *, is_function: bool = False) -> tuple[str, str] | None:
    found = run.execution.targets.get(arn)
    if found is not None:
        return found
    if run.execution.is_local and (is_function or ":function:" in arn):
        return arn.rpartition(":function:")[2].partition(":")[0], ""
    return None


def _error_of(run: Interpreter, failure: Failure, resource: Resource) -> StateFailure:
    if resource.kind != "lambda" or _served(run, resource.text) is None:
        return StateFailure(failure.type, failure.message)
    said = {"errorMessage": failure.message, "errorType": failure.type}
    return StateFailure(failure.type, encode(said).decode())


def seconds_of(state: State, scope: Scope, field: str) -> float | None:
    """TimeoutSeconds or HeartbeatSeconds, or None without it. Raises ``StateFailure`` for what is no such number."""
    fields = state.fields
    value: Any
    if field + "Path" in fields:
        path = fields[field + "Path"]
        value = paths.read(path, scope, field=field + "Path")
    elif field in fields:
        value = fields[field]
        if templates.is_jsonata(value):
            value = templates.evaluate_jsonata(value, scope, field=field, expected="integer")
    else:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value <= 0 or value != int(value):
        shown = value if isinstance(value, str) else compact(value)
        if state.is_jsonata:
            raise query_evaluation(f"{field} must be a positive integer but was: {shown}", field)
        raise StateFailure("States.Runtime", f"The {field}Path parameter must be a positive integer but was: {shown}")
    return value


def _credentials(state: State, scope: Scope) -> Any:
    if "Credentials" not in state.fields:
        return None
    fill = templates.fill_jsonata if state.is_jsonata else templates.fill
    return fill(state.fields["Credentials"], scope, field="Credentials")
