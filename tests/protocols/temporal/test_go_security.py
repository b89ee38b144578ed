"""Temporal's Go SDK with TLS, an API key, and a certificate of its own, as worker and client."""

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.protocols.temporal.programs import CannotBuildError, command
from tests.protocols.temporal.test_security import LOCAL
from tests.security.authority import Authority

from perdure.app.access import Access, FileSession, file_administration
from perdure.app.server import Server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(500)]

STORY = "activity"


@pytest.fixture
async def go() -> list[str]:
    try:
        return await asyncio.to_thread(command, "go")
    except CannotBuildError as error:
        pytest.skip(str(error))


async def told(go: list[str], server: Server, *options: str) -> Any:
    """What one story comes to; or what the program says instead, if it can't connect."""
    address = f"localhost:{server.temporal_port}"
    done = await asyncio.to_thread(
        subprocess.run, [*go, "--address", address, *options, STORY], capture_output=True, text=True, timeout=120
    )
    return json.loads(done.stdout).get("result") if done.returncode == 0 else done.stderr


async def test_with_tls_and_an_api_key(go: list[str], tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue("server")
    url = f"sqlite:///{tmp_path / 'tls.db'}"
    async with file_administration(url) as administration:
        me = FileSession("me")
        _, good = await administration.create_token(me, "file", "both", ["operator:default", "worker:default"], 0)
    access = Access(authentication="tokens", tls_certificate=certificate, tls_key=key)
    server = Server(url, access=access, **LOCAL)
    await server.open()
    try:
        assert await told(go, server, "--ca", authority.ca, "--api-key", good) == "hello world"
        assert "Unauthenticated" in await told(go, server, "--ca", authority.ca, "--api-key", "nonsense")
        assert "failed reaching server" in await told(go, server, "--api-key", good)
    finally:
        await server.close()


async def test_with_a_certificate_of_its_own(go: list[str], tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue("server")
    access = Access(
        tls_certificate=certificate, tls_key=key, tls_client_ca=authority.ca, tls_clients="worker-1=worker+operator"
    )
    server = Server("memory://", access=access, **LOCAL)
    await server.open()
    try:
        for name, result in (("worker-1", "hello world"), ("stranger", "grants no role")):
            own, own_key = authority.issue(name)
            assert result in await told(go, server, "--ca", authority.ca, "--cert", own, "--key", own_key)
    finally:
        await server.close()
