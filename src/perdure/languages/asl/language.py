"""The States Language as a language of apps: a file becomes a workflow."""

from collections.abc import Mapping
from typing import Any

import msgspec

from perdure.languages.asl.checks import Diagnostic, check
from perdure.languages.asl.definition import definition_of
from perdure.languages.asl.execution import Execution
from perdure.languages.asl.program import MachineProgram
from perdure.model.errors import InvalidArgumentError
from perdure.model.events import WorkflowExecutionStarted
from perdure.model.ids import RunAddress


class Machine(msgspec.Struct, frozen=True):
    """A machine that was read and checked."""

    text: str
    name: str
    targets: dict[str, tuple[str, str]]
    run_timeout_seconds: float = 0.0
    comment: str = ""

    def create_program(self, address: RunAddress, started: WorkflowExecutionStarted) -> MachineProgram:
        """The program of a run. What the run goes by is saved with its first turn, so that a new version of the file
        leaves it alone."""
        execution = Execution(
            self.text,
            name=address.workflow_id,
            arn=f"arn:aws:states:us-east-1:000000000000:execution:{self.name}:{address.workflow_id}",
            machine_name=self.name,
            machine_arn=f"arn:aws:states:us-east-1:000000000000:stateMachine:{self.name}",
            targets=self.targets,
            is_local=True,
        )
        return MachineProgram(address, started, execution)


def line_of(file: str, found: Diagnostic) -> str:
    """What is wrong, in one line: where, what, and what would be right.

    Args:
        file: where the definition is; "" if it is in no file.
        found: what is wrong.
    """
    place = f":{found.position.line}:{found.position.column}" if found.position is not None else ""
    message = found.message if found.message.endswith(".") else f"{found.message}."
    also = f" Expected {found.expected}." if found.expected else ""
    if found.nearest:
        also += f" Did you mean {found.nearest!r}?"
    where = f"{file}{place}" if file else f"line{place.replace(':', ' ', 1)}"
    return f"{where}: {found.severity.lower()} {found.code} at {found.json_path}: {message}{also}"


def read(text: str, name: str, file: str, targets: Mapping[str, tuple[str, str]]) -> Machine:
    """Read and check a machine.

    Args:
        text: its definition.
        name: its workflow type.
        file: where it is, for messages; "" if it is in no file.
        targets: by resource: the activity type, and the task queue, that stand for it.

    Raises:
        InvalidArgumentError: it is wrong; a line for each thing that is.
    """
    wrong = [found for found in check(text) if found.severity == "ERROR"]
    if wrong:
        lines = "\n".join(line_of(file, found) for found in wrong)
        raise InvalidArgumentError(f"the state machine {name!r} is wrong:\n{lines}")
    definition = definition_of(text)
    comment: Any = definition.fields.get("Comment", "")
    return Machine(text, name, dict(targets), definition.timeout_seconds, comment if isinstance(comment, str) else "")
