"""Records what Temporal's command line asks of a server, and what its own server answers.

    python -m tests.protocols.temporal.record_cli TEMPORAL ADDRESS > tests/protocols/temporal/recorded/cli_calls.json

``TEMPORAL`` is its program, ``ADDRESS`` where a fresh development server of it listens. The commands go through a proxy that
writes every call down, as protobuf in JSON. A worker serves the workflows of ``cli_workflows`` meanwhile.
"""

import asyncio
import json
import shlex
import sys
from typing import Any

import grpc
from google.protobuf.json_format import MessageToDict
from google.protobuf.message_factory import GetMessageClass
from temporalio.api.operatorservice.v1 import service_pb2 as operator_pb
from temporalio.api.workflowservice.v1 import service_pb2 as workflow_pb
from temporalio.client import Client
from tests.protocols.temporal.cli_workflows import QUEUE, worker

# ruff: noqa: E501  # commands as they are typed
COMMANDS = f"""
operator cluster health
operator cluster describe
operator cluster system
operator cluster list
operator namespace create --description goods --retention 3d -n shop
operator namespace update --description more -n shop
operator namespace describe -n shop
operator namespace list
operator search-attribute create --name CliKeyword --type Keyword
operator search-attribute list
workflow start --type Waits --task-queue {QUEUE} --workflow-id waits --input 1 --memo a=1 --search-attribute 'CliKeyword="x"' --run-timeout 1h --static-summary hello
workflow start --type Waits --task-queue {QUEUE} --workflow-id waits --id-conflict-policy UseExisting
workflow start --type Waits --task-queue {QUEUE} --workflow-id waits --fail-existing
workflow describe -w waits
workflow show -w waits
workflow query -w waits --type state
workflow stack -w waits
workflow metadata -w waits
workflow signal -w waits --name poke --input 2
workflow update execute -w waits --name add --input 5
workflow update start -w waits --name add --input 6 --wait-for-stage accepted --update-id second
workflow update result -w waits --update-id second
workflow update describe -w waits --update-id second
workflow execute-update-with-start --type Waits --task-queue {QUEUE} -w both --update-name add --update-input 1 --id-conflict-policy UseExisting
workflow signal-with-start --type Waits --task-queue {QUEUE} -w both --signal-name poke --signal-input 1
workflow execute --type Adds --task-queue {QUEUE} --workflow-id adds --input 1 --input 2
workflow result -w adds
workflow reset -w adds --type FirstWorkflowTask --reason again
workflow result -w adds
workflow describe -w adds
workflow list --limit 5
workflow list --query "WorkflowType='Adds'"
workflow list --query "ExecutionStatus='Running' AND CliKeyword='x'"
workflow count
workflow count --query "WorkflowType='Waits' GROUP BY ExecutionStatus"
task-queue describe --task-queue {QUEUE}
task-queue list-partition --task-queue {QUEUE}
workflow cancel -w both
workflow result -w both
workflow signal --query "WorkflowId='waits'" --name poke --reason because --yes
batch list
workflow terminate -w waits --reason enough
workflow result -w waits
workflow describe -w waits
workflow delete -w waits
schedule create --schedule-id s1 --cron "0 2 * * MON # early" --type Adds --task-queue {QUEUE} --workflow-id sw --input 1 --input 2 --time-zone Europe/Berlin --jitter 1m --overlap-policy BufferOne --catchup-window 1h --pause-on-failure --notes hm --schedule-memo 'team="a"' --schedule-search-attribute 'CliKeyword="x"'
schedule create --schedule-id s2 --interval 1h/5m --calendar '{{"hour":"1","dayOfWeek":"fri"}}' --type Adds --task-queue {QUEUE} --workflow-id sw2 --paused --remaining-actions 3
schedule create --schedule-id s1 --interval 1h --type Adds --task-queue {QUEUE} --workflow-id sw
schedule list
schedule list --query "TemporalSchedulePaused=true"
schedule describe --schedule-id s1
schedule describe --schedule-id s2
schedule toggle --pause --reason holiday --schedule-id s1
schedule toggle --unpause --reason back --schedule-id s1
schedule trigger --schedule-id s2
schedule backfill --schedule-id s1 --start-time 2026-01-01T00:00:00Z --end-time 2026-01-13T00:00:00Z --overlap-policy AllowAll
schedule update --schedule-id s2 --interval 2h --type Adds --task-queue {QUEUE} --workflow-id sw2
schedule describe --schedule-id s2
schedule describe --schedule-id nope
schedule delete --schedule-id s1
workflow describe -w nope
workflow show -w nope
workflow signal -w nope --name x
workflow terminate -w nope
batch describe --job-id nope
operator nexus endpoint list
operator namespace describe -n nope
operator namespace delete --yes -n shop
"""

CALLS: list[dict[str, Any]] = []


class Proxy(grpc.GenericRpcHandler):
    """Hands on everything, and writes it down."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel
        self.command = ""
        self.methods = {
            f"/{service.full_name}/{method.name}": method
            for service in (
                workflow_pb.DESCRIPTOR.services_by_name["WorkflowService"],
                operator_pb.DESCRIPTOR.services_by_name["OperatorService"],
            )
            for method in service.methods
        }

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        path = details.method
        metadata = [(key, value) for key, value in details.invocation_metadata if not key.startswith("grpc-")]

        async def behave(request: bytes, context: Any) -> bytes:
            send: Any = self.channel.unary_unary(path)
            call = send(request, metadata=metadata, timeout=30)
            method = self.methods.get(path)
            entry: dict[str, Any] = {"command": self.command, "method": path.rsplit("/", 1)[1]}
            if method is not None:
                entry["service"] = method.containing_service.name
                entry["request"] = MessageToDict(GetMessageClass(method.input_type).FromString(request))
                CALLS.append(entry)
            try:
                answer = await call
            except grpc.aio.AioRpcError as error:
                entry["status"], entry["message"] = error.code().name, error.details()
                trailers = tuple((key, value) for key, value in error.trailing_metadata() if key.endswith("-bin"))
                await context.abort(error.code(), error.details(), trailers)
                raise
            if method is not None:
                entry["answer"] = MessageToDict(GetMessageClass(method.output_type).FromString(answer))
            return bytes(answer)

        return grpc.unary_unary_rpc_method_handler(behave)


async def main(program: str, address: str) -> None:
    client = await Client.connect(address)
    proxy = Proxy(grpc.aio.insecure_channel(address))
    server = grpc.aio.server()
    server.add_generic_rpc_handlers([proxy])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with worker(client):
        for command in COMMANDS.strip().splitlines():
            proxy.command = command
            process = await asyncio.create_subprocess_exec(
                program,
                "--address",
                f"127.0.0.1:{port}",
                "--command-timeout",
                "20s",
                *shlex.split(command),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            out, _ = await process.communicate()
            print(f"--- {process.returncode} {command}\n{out.decode()}", file=sys.stderr)
            await asyncio.sleep(0.7)  # its search is not there at once
    await server.stop(0)
    kept = [
        call for call in CALLS if call["method"] != "GetSystemInfo" or call["command"].startswith("operator cluster")
    ]
    print("[\n" + ",\n".join(json.dumps(call) for call in kept) + "\n]")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
