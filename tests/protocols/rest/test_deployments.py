"""Deployments of Temporal's workers, looked at and steered over REST."""

import asyncio
import contextlib
from typing import Any

import httpx
from temporalio.client import Client
from tests.protocols.temporal.versioning import Teller

from perdure.app.server import Server

LOCAL: dict[str, Any] = {
    "rest_address": "127.0.0.1:0",
    "grpc_address": "127.0.0.1:0",
    "temporal_address": "127.0.0.1:0",
}


async def test_a_deployment_is_steered():
    server = Server("memory://", **LOCAL)
    await server.open()
    try:
        teller = Teller(await Client.connect(f"127.0.0.1:{server.temporal_port}"))
        url = f"http://127.0.0.1:{server.rest_port}/api/v1/namespaces/default/deployments"
        one = f"{url}/{teller.name}"
        async with httpx.AsyncClient() as http, teller.worker("1.0"), teller.worker("2.0"):
            assert (await http.get(one + "-not")).status_code == 404
            async with asyncio.timeout(30):
                await teller.until_there("1.0")
                await teller.until_there("2.0")
            (found,) = (await http.get(url)).json()["deployments"]
            assert [version["build_id"] for version in found["versions"]] == ["1.0", "2.0"]
            assert (found["current"], found["percentage"]) == ("", None)

            told = (await http.post(f"{one}/current", json={"build_id": "1.0"})).json()
            assert told["current"] == "1.0" and told["versions"][0]["is_current"]
            told = (await http.post(f"{one}/ramping", json={"build_id": "2.0", "percentage": 25})).json()
            assert (told["ramping"], told["percentage"]) == ("2.0", 25)
            refused = await http.post(f"{one}/current", json={"build_id": "9.9"})
            assert refused.status_code == 404, refused.text
            assert (await http.post(f"{one}/ramping", json={"build_id": "1.0"})).status_code == 400
            assert (await http.delete(f"{one}/versions/2.0")).status_code == 400
            assert (await http.post(f"{one}/ramping", json={"build_id": None})).json()["percentage"] is None
            assert (await http.delete(one)).status_code == 400
            assert (await http.delete(f"{one}/versions/2.0")).status_code < 300
            assert [v["build_id"] for v in (await http.get(one)).json()["versions"]] == ["1.0"]
    finally:
        await server.close()


async def test_a_server_without_such_workers_has_none():
    server = Server("memory://", rest_address="127.0.0.1:0", grpc_address="127.0.0.1:0")
    await server.open()
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.rest_port}/api/v1/namespaces/default") as http:
            assert (await http.get("/deployments")).json()["deployments"] == []
            assert (await http.get("/deployments/x")).status_code == 404
    finally:
        await server.close()


async def test_the_list_goes_by_cursor():
    server = Server("memory://", **LOCAL)
    await server.open()
    try:
        client = await Client.connect(f"127.0.0.1:{server.temporal_port}")
        tellers = [Teller(client) for _ in range(3)]
        url = f"http://127.0.0.1:{server.rest_port}/api/v1/namespaces/default/deployments"
        async with httpx.AsyncClient() as http, contextlib.AsyncExitStack() as workers, asyncio.timeout(60):
            for teller in tellers:
                await workers.enter_async_context(teller.worker("1.0"))
                await teller.until_there("1.0")
            names, cursor = [], ""
            for _ in tellers:
                page = (await http.get(url, params={"limit": 1, "cursor": cursor})).json()
                names += [one["name"] for one in page["deployments"]]
                cursor = page["next_cursor"]
            assert (names, cursor) == (sorted(teller.name for teller in tellers), "")
    finally:
        await server.close()
