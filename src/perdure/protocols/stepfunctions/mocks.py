"""Step Functions Local's mock file: what tasks answer in a test case, by the state's name, in place of any service.

The file is JSON: ``StateMachines`` has, by name, ``TestCases``, which have, by name, the name of a response for each state
that is mocked; ``MockedResponses`` has the responses by name, and each of them what comes of each attempt: ``"0"``, or
``"1-3"`` for several. An execution of ``ARN#TestCase`` uses one.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from perdure.model.errors import InvalidArgumentError


class Throw(msgspec.Struct, frozen=True, rename="pascal"):
    """The task fails."""

    error: str = ""
    cause: str = ""


class Answer(msgspec.Struct, frozen=True, rename="pascal"):
    """What comes of one attempt."""

    throw: Throw | None = None
    return_: Any = msgspec.field(default=None, name="Return")


class _Cases(msgspec.Struct, frozen=True, rename="pascal"):
    test_cases: dict[str, dict[str, str]] = {}


class _File(msgspec.Struct, frozen=True, rename="pascal"):
    state_machines: dict[str, _Cases] = {}
    mocked_responses: dict[str, dict[str, Answer]] = {}


class Mocks:
    """What a mock file says; without one, nothing."""

    def __init__(self, file: _File | None = None) -> None:
        self._file = file or _File()

    @classmethod
    def read(cls, path: str) -> "Mocks":
        """A mock file. Raises ``InvalidArgumentError``."""
        if not path:
            return cls()
        try:
            file = msgspec.json.decode(Path(path).read_bytes(), type=_File)
        except OSError as error:
            raise InvalidArgumentError(f"The mock file {path} can't be read: {error.strerror}.") from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InvalidArgumentError(f"The mock file {path} is not one of Step Functions Local: {error}.") from None
        for machine, cases in file.state_machines.items():
            for case, states in cases.test_cases.items():
                for state, response in states.items():
                    if response not in file.mocked_responses:
                        raise InvalidArgumentError(
                            f"The mock file {path}: {machine}, test case {case}, state {state} names the response "
                            f"{response!r}, which is not among its MockedResponses."
                        )
        return cls(file)

    def has(self, machine: str, case: str) -> bool:
        """Whether there is such a test case."""
        found = self._file.state_machines.get(machine)
        return found is not None and case in found.test_cases

    def states(self, machine: str, case: str) -> Sequence[str]:
        """The states of a state machine that are mocked in a test case."""
        return sorted(self._states(machine, case))

    def answer(self, machine: str, case: str, state: str, attempt: int) -> Answer | None:
        """What comes of an attempt, the first one being 0; None if the file does not say."""
        response = self._states(machine, case).get(state)
        if response is None:
            return None
        for attempts, answer in self._file.mocked_responses[response].items():
            first, _, last = attempts.partition("-")
            if first.strip().isdecimal() and int(first) <= attempt <= int(last or first):
                return answer
        return None

    def _states(self, machine: str, case: str) -> Mapping[str, str]:
        found = self._file.state_machines.get(machine)
        return {} if found is None else found.test_cases.get(case, {})
