"""Deployments of Temporal's workers, from the command line."""

import asyncio
import json
from typing import Any

from temporalio.client import Client
from tests.cli.conftest import Perdure
from tests.protocols.temporal.versioning import Teller

from perdure.app.server import Server

LOCAL: dict[str, Any] = {
    "rest_address": "127.0.0.1:0",
    "grpc_address": "127.0.0.1:0",
    "temporal_address": "127.0.0.1:0",
}


async def test_a_deployment_is_steered(perdure: Perdure) -> None:
    server = Server("memory://", **LOCAL)
    await server.open()
    try:
        url = f"http://127.0.0.1:{server.rest_port}"

        async def said(*arguments: object, exit_code: int = 0) -> str:
            """Of the program, beside the server in another thread."""
            outcome = await asyncio.to_thread(perdure, "deployment", *arguments, PERDURE_SERVER=url)
            assert outcome.exit_code == exit_code, (arguments, outcome.out, outcome.err)
            return outcome.out + outcome.err

        assert "No worker of a deployment has asked" in await said("list")
        assert "not found" in await said("describe", "shop", exit_code=2)
        teller = Teller(await Client.connect(f"127.0.0.1:{server.temporal_port}"))
        name = teller.name
        async with teller.worker("1.0"), teller.worker("2.0"):
            async with asyncio.timeout(30):
                await teller.until_there("1.0")
                await teller.until_there("2.0")
            assert "go to version '1.0'" in await said("set-current", name, "1.0")
            assert "New turns of 25 %" in await said("set-ramping", name, "2.0", "--percentage", "25")
            listed = await said("list")
            assert name in listed and "2.0, 25 %" in listed
            shown = await said("describe", name, "--utc")
            assert "current" in shown and "ramping" in shown and "+00:00" in shown
            told = json.loads(await said("describe", name, "--json"))
            assert (told["current"], told["ramping"], told["percentage"]) == ("1.0", "2.0", 25)
            assert json.loads(await said("list", "--json"))["name"] == name

            assert "Version not found" in await said("set-current", name, "9.9", exit_code=2)
            assert "one of them" in await said("set-current", name, exit_code=2)
            assert "one of them" in await said("set-current", name, "1.0", "--unversioned", exit_code=2)
            assert "--stop" in await said("set-ramping", name, "2.0", "--stop", exit_code=2)
            await said("delete", name, "2.0", "--yes", exit_code=2)
            assert "No version" in await said("set-ramping", name, "--stop")
            assert "Forgot version '2.0'" in await said("delete", name, "2.0", "--yes")
            await said("delete", name, "--yes", exit_code=2)
            assert "workers of no version" in await said("set-current", name, "--unversioned")
            assert "Forgot version '1.0'" in await said("delete", name, "1.0", "--yes")
            assert f"Forgot deployment '{name}'" in await said("delete", name, "--yes")
    finally:
        await server.close()
