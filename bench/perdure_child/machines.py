"""State machines in the Amazon States Language: executions, transitions, and the items of Maps."""

import asyncio
import json
import time
from typing import Any

import perdure
from bench.perdure_child.load import STORE
from bench.perdure_child.parent import Parent
from perdure import App
from perdure.app.server import Server
from perdure.app.stepfunctions import StepFunctions
from perdure.languages.asl.trials import About, Trial

app = App("machines")
TRANSITIONS = 100


@app.activity
async def local(value: Any) -> Any:
    return value


five = app.state_machine(
    {
        "StartAt": "Pass",
        "States": {
            "Pass": {"Type": "Pass", "Next": "Choice"},
            "Choice": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.n", "NumericGreaterThanEquals": 0, "Next": "Task"}],
                "Default": "Succeed",
            },
            "Task": {"Type": "Task", "Resource": "local", "Next": "Wait"},
            "Wait": {"Type": "Wait", "Seconds": 0, "Next": "Succeed"},
            "Succeed": {"Type": "Succeed"},
        },
    },
    name="five",
)
chain = app.state_machine(
    {
        "StartAt": "0",
        "States": {
            **{str(n): {"Type": "Pass", "Next": str(n + 1)} for n in range(TRANSITIONS - 1)},
            str(TRANSITIONS - 1): {"Type": "Succeed"},
        },
    },
    name="chain",
)
each = app.state_machine(
    {
        "StartAt": "Each",
        "States": {
            "Each": {
                "Type": "Map",
                "ItemProcessor": {
                    "StartAt": "Task",
                    "States": {"Task": {"Type": "Task", "Resource": "local", "End": True}},
                },
                "End": True,
            }
        },
    },
    name="each",
)


async def machines(parent: Parent, concurrency: int, seconds: float, items: int, few_items: int) -> None:
    """Executions of five states and of a hundred, as many as take about `seconds`; a Map of many items, and of few."""
    async with perdure.open(app, store=STORE, max_async=concurrency) as client:

        async def rate(flow: Any) -> float:
            async def executed(runs: int) -> float:
                numbers = iter(range(runs))

                async def call() -> None:
                    for number in numbers:
                        assert await client.execute(flow, {"n": number}) == {"n": number}

                began = time.perf_counter()
                await asyncio.gather(*(call() for _ in range(min(runs, concurrency))))
                return runs / (time.perf_counter() - began)

            found = await executed(concurrency)
            return await executed(max(concurrency, round(found * seconds)))

        async def per_item(count: int, times: int) -> float:
            began = time.process_time()
            for _ in range(times):
                assert len(await client.execute(each, list(range(count)))) == count
            return (time.process_time() - began) / count / times * 1e6

        executions, chains = await rate(five), await rate(chain)
        await per_item(few_items, 1)
        few = await per_item(few_items, max(1, items // few_items // 4))
        many = await per_item(items, 1)
    wire_ms, starts = await _over_the_wire(seconds)
    parent.say(
        "result",
        executions_per_second=executions,
        transitions_per_second=chains * TRANSITIONS,
        few_us=few,
        many_us=many,
        test_state_ms=_tried() * 1000,
        test_state_wire_ms=wire_ms,
        starts_per_second=starts,
    )


CONNECTIONS = 16
_REQUEST = (
    "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-amz-json-1.0\r\nX-Amz-Target: AWSStepFunctions.%s\r\n"
    "Content-Length: %d\r\n\r\n%s"
)


class _Wire:
    """A connection to the Step Functions API, without a client library: what is measured is the server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def ask(self, operation: str, body: dict[str, Any]) -> dict[str, Any]:
        text = json.dumps(body)
        self.writer.write((_REQUEST % (operation, len(text), text)).encode())
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        answer: dict[str, Any] = json.loads(await self.reader.readexactly(length))
        assert head.startswith(b"HTTP/1.1 200"), answer
        return answer


async def _over_the_wire(seconds: float) -> tuple[float, float]:
    """Milliseconds of a TestState call, one after the other; and executions of one state started in a second."""
    server = Server(
        "memory://",
        rest_address="127.0.0.1:0",
        grpc_address="127.0.0.1:0",
        stepfunctions=StepFunctions("127.0.0.1:0"),
    )
    await server.open()
    try:
        wires = [
            _Wire(*await asyncio.open_connection("127.0.0.1", server.stepfunctions_port)) for _ in range(CONNECTIONS)
        ]
        role = "arn:aws:iam::111122223333:role/bench"
        succeed = '{"StartAt": "S", "States": {"S": {"Type": "Succeed"}}}'
        made = await wires[0].ask("CreateStateMachine", {"name": "bench", "definition": succeed, "roleArn": role})

        async def tried(times: int) -> float:
            began = time.perf_counter()
            for number in range(times):
                answer = await wires[0].ask("TestState", _trial(number))
                assert answer["status"] == "SUCCEEDED"
            return (time.perf_counter() - began) / times

        async def started(runs: int) -> float:
            numbers = iter(range(runs))

            async def start(wire: _Wire) -> None:
                for _ in numbers:
                    await wire.ask("StartExecution", {"stateMachineArn": made["stateMachineArn"]})

            began = time.perf_counter()
            await asyncio.gather(*map(start, wires))
            return runs / (time.perf_counter() - began)

        await tried(20)
        each = await tried(200)
        found = await started(10 * CONNECTIONS)
        return each * 1000, await started(max(10 * CONNECTIONS, round(found * seconds)))
    finally:
        await server.close()


def _trial(number: int) -> dict[str, Any]:
    state = '{"Type": "Pass", "Parameters": {"doubled.$": "States.MathAdd($.n, $.n)"}, "End": true}'
    return {"definition": state, "input": f'{{"n": {number}}}', "inspectionLevel": "DEBUG"}


def _tried(times: int = 200) -> float:
    began = time.perf_counter()
    for number in range(times):
        trial = Trial(_trial(number), About("111122223333", "us-east-1", 0, "bench"))
        assert trial.answer is not None and trial.answer["status"] == "SUCCEEDED"
    return (time.perf_counter() - began) / times
