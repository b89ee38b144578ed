"""The States Language as a language of apps: a file becomes a workflow."""

from collections.abc import Mapping
from typing import Any

import msgspec

from perdure.languages.asl.definition import definition_of
from perdure.languages.asl.execution import Execution
from perdure.languages.asl.program import MachineProgram
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


def read(text: str, name: str, targets: Mapping[str, tuple[str, str]]) -> Machine:
    """Read a machine.

    Args:
        text: its definition.
        name: its workflow type.
        targets: by resource: the activity type, and the task queue, that stand for it.

    Raises:
        InvalidArgumentError: it can't be run.
    """
    definition = definition_of(text)
    comment: Any = definition.fields.get("Comment", "")
    return Machine(text, name, dict(targets), definition.timeout_seconds, comment if isinstance(comment, str) else "")
