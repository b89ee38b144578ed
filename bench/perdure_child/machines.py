"""State machines in the Amazon States Language: executions, transitions, and the items of Maps."""

import asyncio
import time
from typing import Any

import perdure
from bench.perdure_child.load import STORE
from bench.perdure_child.parent import Parent
from perdure import App
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
    parent.say(
        "result",
        executions_per_second=executions,
        transitions_per_second=chains * TRANSITIONS,
        few_us=few,
        many_us=many,
        test_state_ms=_tried() * 1000,
    )


def _tried(times: int = 200) -> float:
    state = '{"Type": "Pass", "Parameters": {"doubled.$": "States.MathAdd($.n, $.n)"}, "End": true}'
    began = time.perf_counter()
    for number in range(times):
        request = {"definition": state, "input": f'{{"n": {number}}}', "inspectionLevel": "DEBUG"}
        trial = Trial(request, About("111122223333", "us-east-1", 0, "bench"))
        assert trial.answer is not None and trial.answer["status"] == "SUCCEEDED"
    return (time.perf_counter() - began) / times
