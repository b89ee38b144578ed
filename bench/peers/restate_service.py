"""The service that Restate calls, served by hypercorn: `activities` steps in sequence, each returning its input."""

import gc

import restate

bench = restate.Service("bench")


async def step(value: int) -> int:
    return value


@bench.handler()
async def run(context: restate.Context, request: dict[str, int]) -> int:
    value = request["value"]
    for _ in range(request["activities"]):
        value = await context.run_typed("step", step, value=value)
    return value


app = restate.app([bench])

gc.collect()
gc.freeze()
gc.set_threshold(50_000, 50, 100)
