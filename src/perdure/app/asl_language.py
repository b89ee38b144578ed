"""The Amazon States Language, as the Step Functions API asks for it."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from perdure.model.events import Event
from perdure.model.ids import RunAddress
from perdure.model.payloads import Payload
from perdure.model.requests import StartWorkflow
from perdure.protocols.stepfunctions.parts import LanguageRefusal, Outcome, Start


class AslLanguage:
    """Implements ``protocols.stepfunctions.parts.Language``."""

    def __init__(self, wait_time_scale: float = 1.0) -> None:
        self._wait_time_scale = wait_time_scale

    def diagnostics(self, definition: str, type: str) -> Sequence[Mapping[str, str]]:
        """As ``Language.diagnostics``."""
        return []

    def refusal(self, definition: str, type: str) -> str | None:
        """As ``Language.refusal``."""
        return None

    def input_refusal(self, text: str) -> str | None:
        """As ``Language.input_refusal``."""
        try:
            msgspec.json.decode(text)
        except msgspec.DecodeError:
            return "Invalid execution input."
        return None

    def test_state(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """As ``Language.test_state``."""
        raise LanguageRefusal("ValidationException", "TestState is not supported.")

    def start(self, start: Start, input: str) -> StartWorkflow:
        """As ``Language.start``."""
        facts = Payload(msgspec.json.encode(start._asdict()))
        return StartWorkflow(start.arn, start.machine_name, "perdure.asl", (Payload(input.encode()), facts))

    def started(self, event: Event) -> tuple[Start, str]:
        """As ``Language.started``."""
        raise ValueError("not a state machine's run")

    def history(self, events: Sequence[Event]) -> list[dict[str, Any]]:
        """As ``Language.history``."""
        return []

    def outcome(self, closing: Event) -> Outcome:
        """As ``Language.outcome``."""
        raise NotImplementedError

    def task_of(self, token: str) -> tuple[RunAddress, str] | None:
        """As ``Language.task_of``."""
        return None
