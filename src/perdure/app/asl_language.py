"""The Amazon States Language, as the Step Functions API asks for it."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from perdure.expressions.located_json import InvalidJson, parse
from perdure.languages.asl import history, redrives, tokens
from perdure.languages.asl.checks import check, refusal
from perdure.languages.asl.definition import definition_of
from perdure.languages.asl.execution import Execution, execution_of, start_of
from perdure.languages.asl.trials import About, Trial, TrialRefused
from perdure.languages.asl.variable_references import references_of
from perdure.model.errors import InvalidArgumentError
from perdure.model.events import Event, WorkflowExecutionStarted, WorkflowTaskStarted
from perdure.model.ids import RunAddress
from perdure.model.requests import StartWorkflow
from perdure.protocols.stepfunctions import result_shapes
from perdure.protocols.stepfunctions.parts import LanguageRefusal, Outcome, Start, Tried

_ENDED = {"FAILED": redrives.FAILED, "ABORTED": redrives.ABORTED, "TIMED_OUT": redrives.TIMED_OUT}


class AslLanguage:
    """Implements ``protocols.stepfunctions.parts.Language``.

    Args:
        wait_time_scale: what the seconds of Wait states are multiplied by.
        is_strict: whether AWS's limit of a payload's size holds.
        event_limit: how many of AWS's events an execution may have; 0 for any number.
        targets: by resource: the activity type, and the task queue, of workers that serve it.
    """

    def __init__(
        self,
        wait_time_scale: float = 1.0,
        *,
        is_strict: bool = True,
        event_limit: int = 0,
        targets: Mapping[str, tuple[str, str]] | None = None,
    ) -> None:
        self._wait_time_scale = wait_time_scale
        self._is_strict = is_strict
        self._event_limit = event_limit
        self._targets = dict(targets or {})

    def diagnostics(self, definition: str, type: str) -> Sequence[Mapping[str, str]]:
        """As ``Language.diagnostics``."""
        found = check(definition, type=type)
        return [
            {
                "severity": one.severity,
                "code": one.code,
                "message": one.message,
                **({"location": one.location} if one.location is not None else {}),
            }
            for one in found
        ]

    def refusal(self, definition: str, type: str) -> str | None:
        """As ``Language.refusal``."""
        found = check(definition, type=type)
        return refusal(definition, found) if any(one.severity == "ERROR" for one in found) else None

    def input_refusal(self, text: str) -> str | None:
        """As ``Language.input_refusal``."""
        if not text.strip():
            return "Invalid execution input."
        try:
            msgspec.json.decode(text)
        except RecursionError:
            return "The text is nested too deeply."
        except msgspec.DecodeError:
            try:
                parse(text)
            except InvalidJson as error:
                return error.message
        return None

    def test_state(self, request: Mapping[str, Any], account: str, region: str, now: float, seed: str) -> Tried:
        """As ``Language.test_state``."""
        try:
            return Trial(request, About(account, region, int(now * 1000), seed), result_shapes.problem)
        except TrialRefused as refused:
            raise LanguageRefusal(refused.code, refused.message) from None

    def variable_references(self, definition: str) -> Mapping[str, Sequence[str]]:
        """As ``Language.variable_references``."""
        return references_of(msgspec.json.decode(definition))

    def start(self, start: Start, input: str) -> StartWorkflow:
        """As ``Language.start``."""
        execution = Execution(
            start.definition,
            start.name,
            start.arn,
            start.role_arn,
            start.machine_name,
            start.machine_arn,
            start.type,
            start.region,
            start.account,
            start.start_time,
            test_case=start.test_case,
            mocked=tuple(start.mocked),
            missing=tuple(start.missing),
            is_strict=self._is_strict,
            event_limit=self._event_limit,
            targets=self._targets,
            wait_time_scale=self._wait_time_scale,
        )
        return start_of(execution, input, timeout_seconds=definition_of(start.definition).timeout_seconds)

    def started(self, event: Event) -> tuple[Start, str]:
        """As ``Language.started``."""
        try:
            execution = execution_of(event.input) if isinstance(event, WorkflowExecutionStarted) else None
        except InvalidArgumentError as error:
            raise ValueError(str(error)) from None
        if execution is None:
            raise ValueError("The run is none of a state machine.")
        assert isinstance(event, WorkflowExecutionStarted)
        start = Start(
            execution.definition,
            execution.name,
            execution.arn,
            execution.role_arn,
            execution.machine_name,
            execution.machine_arn,
            execution.type,
            execution.region,
            execution.account,
            execution.start_time,
            execution.test_case,
            execution.mocked,
        )
        return start, event.input[0].data.decode()

    def history(self, events: Sequence[Event], number: int, started_time: int) -> Sequence[history.Turn]:
        """As ``Language.history``."""
        return history.aws_turns(events, number, started_time)

    def begins_turn(self, event: Event) -> bool:
        """As ``Language.begins_turn``."""
        return isinstance(event, WorkflowTaskStarted)

    def redrive_reason(self, status: str) -> str:
        """As ``Language.redrive_reason``."""
        return redrives.reason_of(_ENDED[status])

    def outcome(self, closing: Event) -> Outcome:
        """As ``Language.outcome``."""
        return history.outcome(closing)

    def task_of(self, token: str) -> tuple[RunAddress, str] | None:
        """As ``Language.task_of``."""
        return tokens.read(token)
