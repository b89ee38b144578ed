"""A server with the Step Functions API, over each store, and boto3 in front of it."""

import asyncio
from contextlib import AsyncExitStack
from functools import partial

import boto3
import pytest
from botocore.config import Config

from perdure.app.server import Server
from perdure.app.stepfunctions import StepFunctions

ACCOUNT = "111111111111"
PASS = '{"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": {"a": 1}, "End": true}}}'
ROLE = f"arn:aws:iam::{ACCOUNT}:role/any"


class Client:
    """boto3's client, asked in a thread: ``await client.list_activities()``."""

    server: Server

    def __init__(self, port: int, account: str = ACCOUNT, region: str = "us-east-1", secret: str = "any") -> None:
        self.port = port
        self._client = boto3.client(
            "stepfunctions",
            endpoint_url=f"http://127.0.0.1:{port}",
            region_name=region,
            aws_access_key_id=account,
            aws_secret_access_key=secret,
            config=Config(retries={"total_max_attempts": 1}, inject_host_prefix=False, parameter_validation=False),
        )
        self.exceptions = self._client.exceptions

    def __getattr__(self, name):
        return lambda **asked: asyncio.get_running_loop().run_in_executor(
            None, partial(getattr(self._client, name), **asked)
        )

    def close(self):
        self._client.close()


@pytest.fixture(params=["memory", "sqlite"])
def store_url(request, tmp_path):
    return "memory://" if request.param == "memory" else f"sqlite:///{tmp_path / 'work.db'}"


@pytest.fixture
async def serve(store_url):
    """Starts a server; a second one finds what the first has left in its file."""
    async with AsyncExitStack() as stack:

        async def start(store=None, access=None, **settings):
            server = Server(
                store or store_url,
                rest_address="127.0.0.1:0",
                grpc_address="127.0.0.1:0",
                access=access,
                stepfunctions=StepFunctions("127.0.0.1:0", **settings),
            )
            await server.open()
            stack.push_async_callback(server.close)
            return server

        yield start


@pytest.fixture
async def client(serve):
    """boto3, of account 111111111111 in us-east-1."""
    server = await serve()
    client = Client(server.stepfunctions_port)
    client.server = server
    yield client
    client.close()


async def refused(awaitable):
    """The error's type and message."""
    from botocore.exceptions import ClientError

    with pytest.raises(ClientError) as raised:
        await awaitable
    error = raised.value.response["Error"]
    return error["Code"], error.get("Message", "")
