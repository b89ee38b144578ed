"""Executions for ``perdure asl``: one here in memory, against mocks; and where one elsewhere is."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from perdure.app.asl import asl_queue
from perdure.app.embedded import Embedded
from perdure.app.stores import memory_store
from perdure.cli.asl_view import event_line
from perdure.cli.output import Output, note
from perdure.engine.clock import SystemClock
from perdure.languages.asl.definition import Definition, definition_of
from perdure.languages.asl.drawing import marks_of
from perdure.languages.asl.execution import Execution, start_of
from perdure.languages.asl.history import aws_events, outcome
from perdure.model.errors import ApplicationError, InvalidArgumentError
from perdure.model.events import Event
from perdure.model.ids import RunAddress
from perdure.model.options import DEFAULT_NAMESPACE

NAME = "run"
PAGE = 1_000


class Mocks:
    """What tasks answer, by state.

    Args:
        answers: for each state what comes of its attempts, one after the other; the last one counts for all further ones.
    """

    def __init__(self, answers: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        self._answers = answers

    @classmethod
    def read(cls, file: str, machine: str, test_case: str) -> "Mocks":
        """A file of mocks, or one of Step Functions Local. Raises ``InvalidArgumentError``."""
        if not file:
            return cls({})
        try:
            said = msgspec.json.decode(Path(file).read_bytes())
        except msgspec.DecodeError as error:
            raise InvalidArgumentError(f"{file} is no JSON: {error}") from None
        if not isinstance(said, dict):
            raise InvalidArgumentError(f"{file} must be a JSON object: the answers by the names of states")
        if "MockedResponses" in said:
            return cls(_of_local(file, said, machine, test_case))
        answers = {state: each if isinstance(each, list) else [each] for state, each in said.items()}
        for state, each in answers.items():
            if not each or not all(isinstance(one, dict) and one.keys() & {"Return", "Throw"} for one in each):
                raise InvalidArgumentError(
                    f'{file}: the answer of {state!r} must be {{"Return": ...}} or {{"Throw": ...}}'
                )
        return cls(answers)

    async def call(self, resource: str, parameters: Any, about: dict[str, Any]) -> Any:
        """As ``app.asl.Call``."""
        answers = self._answers.get(about["state"])
        if answers is None:
            raise ApplicationError(
                f"No mock says what {resource} answers in state {about['state']!r}: add it to the file of --mocks.",
                type="States.Runtime",
            )
        answer = answers[min(about["attempt"], len(answers) - 1)]
        if "Throw" in answer:
            raise ApplicationError(
                answer["Throw"].get("Cause", ""), type=answer["Throw"].get("Error", "States.TaskFailed")
            )
        is_wrapped = ".sync" in resource or resource.endswith(".waitForTaskToken")
        return {"output": answer["Return"]} if is_wrapped else answer["Return"]


def _of_local(
    file: str, said: dict[str, Any], machine: str, test_case: str
) -> Mapping[str, Sequence[Mapping[str, Any]]]:
    try:
        cases = said["StateMachines"]
        chosen = cases[machine if machine in cases else next(iter(cases))]["TestCases"]
        if test_case not in chosen:
            raise InvalidArgumentError(
                f"{file} has no test case {test_case!r} (--test-case), only: {', '.join(sorted(chosen))}"
            )
        answers: dict[str, list[Mapping[str, Any]]] = {}
        for state, response in chosen[test_case].items():
            given = answers[state] = []
            for attempts, answer in said["MockedResponses"][response].items():
                first, _, last = attempts.partition("-")
                given += [answer] * (int(last or first) - int(first) + 1)
        return answers
    except (KeyError, TypeError, AttributeError, ValueError, StopIteration) as error:
        raise InvalidArgumentError(f"{file} is no mock file of Step Functions Local: {error!r}") from None


async def execute(
    file: Path,
    text: str,
    input: str,
    mocks: Mocks,
    *,
    wait_time_scale: float,
    is_express: bool,
    as_json: bool,
) -> bool:
    """Run it, and print what happens as it does. Whether it succeeded.

    Raises:
        InvalidArgumentError: the input is no JSON, or the definition can't be run.
    """
    try:
        msgspec.json.decode(input)
    except msgspec.DecodeError as error:
        raise InvalidArgumentError(f"the input is no JSON: {error}") from None
    definition = definition_of(text)
    machine = file.name.partition(".")[0]
    prefix = "arn:aws:states:us-east-1:000000000000"
    execution = Execution(
        text,
        name=NAME,
        arn=f"{prefix}:execution:{machine}:{NAME}",
        machine_name=machine,
        machine_arn=f"{prefix}:stateMachine:{machine}",
        type="EXPRESS" if is_express else "STANDARD",
        mocked=tuple(_tasks(definition)),
        wait_time_scale=wait_time_scale,
    )
    clock = SystemClock(asyncio.get_running_loop())
    embedded = Embedded([], memory_store(), clock, own_queues=[asl_queue(mocks.call)])
    await embedded.open()
    try:
        request = start_of(execution, input, timeout_seconds=definition.timeout_seconds)
        started = await embedded.service.start(DEFAULT_NAMESPACE, request)
        address = RunAddress(DEFAULT_NAMESPACE, request.workflow_id, started.run_id)
        return await _follow(embedded, address, as_json=as_json)
    finally:
        await embedded.close()


async def _follow(embedded: Embedded, address: RunAddress, *, as_json: bool) -> bool:
    output = Output()
    events: list[Event] = []
    shown, is_closed = 0, False
    while not is_closed:
        page = await embedded.service.history(address, after=len(events), limit=PAGE, wait=True)
        events += page.events
        is_closed = page.is_closed
        found = aws_events(events)
        for event in found[shown:]:
            if as_json:
                output.json(event)
            elif line := event_line(event):
                print(line, flush=True)
        shown = len(found)
    ended = outcome(events[-1])
    if not as_json:
        if ended.output is not None:
            print(ended.output)
        note(ended.status if ended.error is None else f"{ended.status}: {ended.error}: {ended.cause or ''}")
    return ended.status == "SUCCEEDED"


def _tasks(definition: Definition) -> list[str]:
    return [
        state.name
        for states in definition.by_pointer.values()
        for state in states.by_name.values()
        if state.kind == "Task"
    ]


def marks_of_run(
    place: str | None, server: str, token: str, namespace: str, workflow_id: str, run_id: str
) -> Mapping[str, str]:
    """Where a run is, by the names of states."""
    from perdure.cli.finding import find
    from perdure.cli.sources import Source, look

    events: list[Event] = []

    async def read(source: Source) -> None:
        address = await find(source, namespace, workflow_id, run_id)
        while True:
            page = await source.history(address, after=len(events), limit=PAGE, wait=False)
            events.extend(page.events)
            if not page.events:
                return

    look(place, server, token, read)
    found = aws_events(events)
    if not found:
        note(f"Run {workflow_id!r} is no run of a state machine that has begun: nothing of it is shown.")
    return marks_of(found)
