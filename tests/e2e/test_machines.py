"""State machines of a worker elsewhere, which are taken up by another one."""

import perdure
from perdure.app import memory_store
from perdure.app.server import Server

DOUBLE = {"Type": "Task", "Resource": "double", "End": True}


def make_app() -> perdure.App:
    app = perdure.App("machines", task_queue="machines")

    @app.activity
    async def double(number: int) -> int:
        return 2 * number

    for mode in ("INLINE", "DISTRIBUTED"):
        processor = {
            "ProcessorConfig": {"Mode": mode, "ExecutionType": "STANDARD"} if mode == "DISTRIBUTED" else {"Mode": mode},
            "StartAt": "Double",
            "States": {"Double": DOUBLE},
        }
        states = {
            "Each": {"Type": "Map", "ItemProcessor": processor, "Next": "Rest"},
            "Rest": {"Type": "Wait", "Seconds": 1, "Next": "Last"},
            "Last": {"Type": "Pass", "End": True},
        }
        app.state_machine({"StartAt": "Each", "States": states}, name=mode.lower())
    return app


async def test_machines_of_a_worker_elsewhere_go_on_at_another_one():
    server = Server(memory_store(), rest_address="127.0.0.1:0", grpc_address="127.0.0.1:0")
    await server.open()
    try:
        app = make_app()
        async with await perdure.connect(server.url, app) as client:
            async with perdure.Worker(client, app):
                runs = [
                    await client.start(mode, [1, 2, 3], task_queue="machines") for mode in ("inline", "distributed")
                ]
                for run in runs:
                    async for event in run.history(follow=True):
                        if event.type == "TimerStarted":
                            break
            other = make_app()
            async with perdure.Worker(client, other):
                assert [await run.result() for run in runs] == [[2, 4, 6], [2, 4, 6]]
    finally:
        await server.close()
