"""The server ends in the middle of things and begins again: workers and clients stay as they are."""

import asyncio
from pathlib import Path

from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker
from tests.protocols.temporal.workflows import ACTIVITIES, WORKFLOWS, Account, Steps

from perdure.app.server import Server


async def serve(path: Path, port: int = 0) -> Server:
    server = Server(
        f"sqlite:///{path}",
        rest_address="127.0.0.1:0",
        grpc_address="127.0.0.1:0",
        temporal_address=f"127.0.0.1:{port}",
    )
    await server.open()
    return server


async def test_runs_go_on_after_the_server_was_away(tmp_path: Path) -> None:
    server = await serve(tmp_path / "work.db")
    port = server.temporal_port
    client = await Client.connect(f"127.0.0.1:{port}")
    async with Worker(
        client, task_queue="q", workflows=WORKFLOWS, activities=ACTIVITIES, workflow_runner=UnsandboxedWorkflowRunner()
    ):
        waiting = [
            await client.start_workflow(Account.run, number, id=f"account-{number}", task_queue="q")
            for number in range(5)
        ]
        outside = await client.start_workflow(Steps.run, "outside", id="outside", task_queue="q")
        assert await waiting[4].execute_update(Account.withdraw, 1) == 3
        while not (await outside.describe()).raw_description.pending_activities:
            await asyncio.sleep(0.02)
        busy = [await client.start_workflow(Steps.run, "activity", id=f"busy-{n}", task_queue="q") for n in range(10)]
        await server.close()
        server = await serve(tmp_path / "work.db", port)
        try:
            assert [await handle.result() for handle in busy] == ["Hello, you!"] * 10
            for handle in waiting:
                await handle.signal(Account.deposit, 10)
                await handle.signal(Account.close)
            assert [await handle.result() for handle in waiting] == [10, 11, 12, 13, 13]
            by_id = client.get_async_activity_handle(workflow_id="outside", run_id=None, activity_id="outside")
            await by_id.complete("after all")
            assert await outside.result() == "after all"
        finally:
            await server.close()
