"""A state's way through its steps, with a note of the data after each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from perdure.languages.asl import choices, retries, state_data, templates
from perdure.languages.asl.checks.checking import TESTED
from perdure.languages.asl.data import encode
from perdure.languages.asl.definition import State
from perdure.languages.asl.failure import StateFailure
from perdure.languages.asl.scope import ABSENT, Scope
from perdure.languages.asl.states import simple, task, wait
from perdure.languages.asl.trials import map_trial
from perdure.languages.asl.trials.requests import About, Request, Shapes, read

Json = Any


@dataclass(slots=True, frozen=True)
class TaskCall:
    """What a Task without a mock calls.

    Args:
        resource: as the definition has it.
        parameters: its Parameters or Arguments, filled in.
        credentials: its Credentials, filled in, or None.
        role_arn: of the request.
        timeout_seconds: how long it may take; None for any time.
    """

    resource: str
    parameters: Json
    credentials: Json
    role_arn: str | None
    timeout_seconds: float | None = None


class Trial:
    """One TestState.

    Args:
        request: as the API has it, by its names ("definition", "input", "mock" ...).
        about: where and when.
        shapes: judges a mock's result by the service's model; None judges none.

    Raises:
        TrialRefused: AWS would refuse the request.

    After it, `answer` is the API's answer; or, if it is None, `call` is what the Task calls, and `answered` or `failed`
    gives the answer.
    """

    def __init__(self, request: Mapping[str, Json], about: About, shapes: Shapes | None = None) -> None:
        self.request: Request = read(request, about, shapes)
        self.role_arn: str | None = request.get("roleArn")
        asked = self.request
        self.state = State(TESTED if asked.name is None else asked.name, dict(asked.fields), asked.is_jsonata, "")
        self.scope = Scope(
            input=asked.input,
            context=asked.context,
            variables=asked.variables,
            chance=asked.chance,
            now_ms=about.now_ms,
        )
        self.notes: dict[str, Json] = {"input": encode(asked.input).decode()}
        if asked.variables:
            self.notes["variables"] = encode(asked.variables).decode()
        self.call: TaskCall | None = None
        self.answer: dict[str, Json] | None = None
        self.begin()

    def begin(self) -> None:
        fields, kind = self.state.fields, self.state.kind
        try:
            if kind == "Task":
                self.begin_task()
            elif kind == "Map":
                map_trial.note(self)
                self.end_mocked()
            elif kind == "Parallel":
                self.end_mocked()
            elif kind == "Pass" and "Result" in fields:
                self.note("result", fields["Result"])
                self.end(fields["Result"])
            elif kind == "Pass":
                effective = self.effective()
                self.end(self.arguments(effective))
            else:
                getattr(self, f"try_{kind.lower()}")(self.effective())
        except StateFailure as e:
            self.answer = self.failure(e.error, e.cause)

    # The steps, each noted as it is done.

    def note(self, name: str, value: Json) -> None:
        self.notes[name] = encode(value).decode()

    def effective(self) -> Json:
        effective = state_data.effective_input(self.state, self.request.input, self.scope)
        if not self.state.is_jsonata:
            self.note("afterInputPath", effective)
        return effective

    def arguments(self, effective: Json) -> Json:
        arguments = state_data.arguments(self.state, effective, self.scope)
        if not self.state.is_jsonata:
            self.note("afterParameters", arguments)
        elif "Arguments" in self.state.fields:
            self.note("afterArguments", arguments)
        return arguments

    def begin_task(self) -> None:
        effective = self.effective()
        parameters = self.arguments(effective)
        scope = replace(self.scope, input=effective)
        timeout = task.seconds_of(self.state, scope, "TimeoutSeconds")
        task.seconds_of(self.state, scope, "HeartbeatSeconds")
        if self.request.is_mocked:
            if self.request.error_output is None:
                self.note("result", self.request.result)
            self.end_mocked()
            return
        credentials = self.state.fields.get("Credentials")
        if credentials is not None:
            fill = templates.fill_jsonata if self.state.is_jsonata else templates.fill
            credentials = fill(credentials, scope, field="Credentials")
        self.call = TaskCall(self.state.fields["Resource"], parameters, credentials, self.role_arn, timeout)

    def end_mocked(self) -> None:
        error = self.request.error_output
        if error is not None:
            self.answer = self.failure(error.get("error"), error.get("cause"))
        elif self.state.kind == "Map" and (exceeded := map_trial.exceeded(self)):
            self.answer = self.failure(exceeded.error, exceeded.cause)
        else:
            self.end(self.request.result)

    def end(self, result: Json) -> None:
        """From what the state's work gave to the answer."""
        selected = state_data.result(self.state, result, self.scope)
        raw = self.request.input
        scope = state_data.in_jsonata(self.scope, raw, result=selected if self.state.kind not in ("Pass",) else ABSENT)
        if not self.state.is_jsonata:
            self.note("afterResultSelector", selected)
            fields = {name: value for name, value in self.state.fields.items() if name != "OutputPath"}
            self.note("afterResultPath", state_data.output(self.state, fields, raw, selected, scope))
        self.assign(self.state.fields, raw if self.state.is_jsonata else selected, scope)
        self.succeed(state_data.output(self.state, self.state.fields, raw, selected, scope), self.state.next)

    def assign(self, fields: Mapping[str, Json], seen: Json, scope: Scope, within: str = "") -> None:
        assigned = state_data.assigned(self.state, fields, seen, scope, within=within)
        if assigned:
            self.note("variables", {**self.request.variables, **assigned})

    # The states that do no work.

    def try_succeed(self, effective: Json) -> None:
        self.through(effective, self.state.fields, None)

    def try_wait(self, effective: Json) -> None:
        fields, scope = self.state.fields, replace(self.scope, input=effective)
        wait.seconds_of(self.state, scope, self.scope.now_ms * 1_000_000)
        self.through(effective, fields, self.state.next)

    def try_choice(self, effective: Json) -> None:
        scope, language = replace(self.scope, input=effective), "JSONata" if self.state.is_jsonata else "JSONPath"
        for index, rule in enumerate(self.state.fields["Choices"]):
            if choices.matches(rule, scope, language, index=index):
                own = {name: rule[name] for name in ("Output", "Assign") if name in rule}
                fields = {**self.state.fields, "Assign": {}, **own}
                self.through(effective, fields, rule["Next"], f"Choices[{index}]/" if own else "")
                return
        if "Default" not in self.state.fields:
            raise StateFailure(
                "States.NoChoiceMatched",
                "Failed to transition out of the state. The state does not point to a next state.",
            )
        self.through(effective, self.state.fields, self.state.fields["Default"])

    def try_fail(self, effective: Json) -> None:
        scope = replace(self.scope, input=effective)
        told = {name: simple.text_of(self.state, scope, name) for name in ("Error", "Cause")}
        self.answer = self.told("FAILED", error=told["Error"], cause=told["Cause"])

    def through(self, effective: Json, fields: Mapping[str, Json], next_state: str | None, within: str = "") -> None:
        """The end of a state that hands on what it got."""
        self.assign(fields, effective, self.scope, within)
        if self.state.is_jsonata:
            output = state_data.output(self.state, fields, effective, effective, self.scope, within=within)
        else:
            path = {name: fields[name] for name in ("OutputPath",) if name in fields}
            output = state_data.output(self.state, path, effective, effective, self.scope)
        self.succeed(output, next_state)

    # Answers.

    def answered(self, result: Json) -> dict[str, Json]:
        """The answer, once the Task has given a result."""
        self.note("result", result)
        try:
            self.end(result)
        except StateFailure as e:
            self.answer = self.failure(e.error, e.cause)
        assert self.answer is not None
        return self.answer

    def failed(self, error: str, cause: str) -> dict[str, Json]:
        """The answer, once the Task has failed."""
        self.answer = self.failure(error, cause or None)
        return self.answer

    def succeed(self, output: Json, next_state: str | None) -> None:
        self.answer = self.told("SUCCEEDED", output=encode(output).decode(), nextState=next_state)

    def failure(self, error: str | None, cause: str | None) -> dict[str, Json]:
        """What becomes of a failure: another attempt, a catcher's turn, or the end."""
        fields, details = self.state.fields, {}
        name = error or ""
        if found := retries.matching_retrier(fields, name):
            index, retrier = found
            details["retryIndex"] = index
            used = self.request.configuration.get("retrierRetryCount", 0)
            delay = retries.delay_seconds(retrier, used, self.request.chance)
            if delay is not None:
                details["retryBackoffIntervalSeconds"] = int(delay)
                return self.told("RETRIABLE", details, error=error, cause=cause)
        if found := retries.matching_catcher(fields, name):
            index, catcher = found
            details["catchIndex"] = index
            caught = {key: value for key, value in (("Error", error), ("Cause", cause)) if value is not None}
            scope = state_data.in_jsonata(self.scope, self.request.input, error_output=caught)
            try:
                own = {key: value for key, value in catcher.items() if key != "OutputPath"}
                within = f"Catch[{index}]/"
                output = state_data.output(self.state, own, self.request.input, caught, scope, within=within)
                self.assign(catcher, self.request.input if self.state.is_jsonata else caught, scope, within)
            except StateFailure as e:
                return self.told("FAILED", details, error=e.error, cause=e.cause)
            return self.told(
                "CAUGHT_ERROR",
                details,
                error=error,
                cause=cause,
                output=encode(output).decode(),
                nextState=catcher["Next"],
            )
        return self.told("FAILED", details, error=error, cause=cause)

    def told(self, status: str, details: Mapping[str, Json] | None = None, **members: Json) -> dict[str, Json]:
        answer = {name: value for name, value in members.items() if value is not None}
        answer["status"] = status
        if self.request.level != "INFO":
            answer["inspectionData"] = {**self.notes, **({"errorDetails": dict(details)} if details else {})}
        return answer
