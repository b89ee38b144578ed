"""The four programs that specify the API run unmodified and type-check. Skipped where they are not beside the project."""

import asyncio
import importlib
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

import perdure
from perdure import testing
from perdure.app.server import Server

API = Path(__file__).parents[3] / "shared" / "api"

pytestmark = pytest.mark.skipif(not API.is_dir(), reason=f"the API's example programs are not at {API}")


@pytest.fixture
def api(monkeypatch):
    monkeypatch.syspath_prepend(str(API))
    names = ("orders", "loan", "media")
    for name in names:
        # Other tests may have modules of these names; they come back when this test ends.
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield {name: importlib.import_module(name) for name in names}
    for name in names:
        sys.modules.pop(name, None)


async def test_orders(api):
    orders = api["orders"]
    async with testing.environment(orders.app) as env:
        order = orders.Order("1001", "ada", {"book": 1, "pen": 3}, 4200)
        run = await env.client.start(orders.fulfil, order, id="order-1001")
        again = await env.client.start(orders.fulfil, order, id="order-1001")
        assert again.run_id == run.run_id
        receipt = await run.result()
        assert receipt == orders.Receipt("1001", receipt.payment_id, ["track-1001-res-book-1", "track-1001-res-pen-3"])
        assert env.elapsed >= timedelta(minutes=5)


async def test_loan(api):
    loan = api["loan"]
    async with testing.environment(loan.app) as env:
        run = await env.client.start(loan.Loan, loan.Application("ada", 25_000), id="loan-7")
        assert await run.update(loan.Loan.add_document, "passport.pdf") == 1
        with pytest.raises(perdure.UpdateFailedError):
            await run.update(loan.Loan.add_document, "passport.pdf")
        assert await run.update(loan.Loan.add_document, "payslip.pdf") == 2
        assert await run.query(loan.Loan.status) == {"documents": 2, "decided": False}
        await run.signal(loan.Loan.decide, loan.Decision("officer-3", True))
        assert await run.result() == "approved"
        assert await env.client.execute(loan.expense, "bob", 100) == "no answer"
        silent = await env.client.start(loan.Loan, loan.Application("bob", 100), id="loan-8")
        assert await silent.result() == "expired"
        perdure.replay(loan.app, await silent.fetch_history())


async def test_media(api):
    media = api["media"]
    async with testing.environment(media.app) as env:
        assert await env.client.execute(media.publish, "a.mp4") == "100 parts"
        assert await env.client.execute(media.library, [f"{n}.mp4" for n in range(55)]) == 55


@pytest.fixture
def host(api, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # Five minutes of waiting on a real clock are too long for a test.
    monkeypatch.setattr(api["orders"].asyncio, "sleep", lambda seconds, sleep=asyncio.sleep: sleep(min(seconds, 0.01)))
    yield importlib.import_module("host")
    sys.modules.pop("host", None)


async def test_the_host_runs_embedded(host, capsys):
    await host.embedded()
    said = capsys.readouterr().out.splitlines()
    assert said[1:5] == ["1", "2", "{'documents': 2, 'decided': False}", "approved"]


async def test_the_host_runs_with_a_worker_of_a_server(host, monkeypatch, capsys):
    server = Server("sqlite:///work.db", rest_address="127.0.0.1:0", grpc_address="127.0.0.1:0")
    await server.open()
    clients = []

    async def connect(url, *apps, connect=perdure.connect, **options):
        assert url == "http://127.0.0.1:7420"  # which another server of this machine may have
        clients.append(await connect(server.url, *apps, **options))
        return clients[-1]

    monkeypatch.setattr(perdure, "connect", connect)
    try:
        await host.remote()
    finally:
        for client in clients:
            await client.close()
        await server.close()
    said = capsys.readouterr().out.splitlines()
    assert said[1:5] == ["1", "2", "{'documents': 2, 'decided': False}", "approved"]
    assert any("WorkflowExecutionCompleted" in line for line in said)


async def test_the_hosts_test_passes(host):
    await host.test_silence_expires_the_loan()


def test_they_type_check():
    found = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--cache-dir", "/dev/null", "host.py"],
        cwd=API,
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert found.returncode == 0, found.stdout
