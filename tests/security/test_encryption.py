"""With an ``EncryptionCodec``, nobody without the key reads anything: not the store, not a client, not the command line."""

import asyncio
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

import perdure
from perdure import App, Converter, EncryptionCodec, workflow
from perdure.app.server import Server
from perdure.model.ids import RunAddress

CARD = "4111-1111-1111-1111"


def make_app(keys: dict[str, bytes], *, waits: bool = False) -> App:
    app = App("cards", converter=Converter(codecs=[EncryptionCodec(keys)], encode_failures=True))

    @app.activity(retry=perdure.Retry(max_attempts=1))
    async def charge(card: str) -> str:
        if card.endswith("0"):
            raise perdure.ApplicationError(f"card {card} was declined", {"card": card})
        return f"charged {card}"

    @app.workflow
    class Pay:
        def __init__(self) -> None:
            self.confirmed = ""

        @workflow.signal
        def confirm(self, by: str) -> None:
            self.confirmed = by

        @workflow.query
        def who(self) -> str:
            return self.confirmed

        async def run(self, card: str) -> str:
            workflow.upsert_memo({"note": f"memo of {card}"})
            if waits:
                await workflow.wait_condition(lambda: bool(self.confirmed))
            return f"{await charge(card)} for {self.confirmed}"

    return app


def command_line(*arguments: str) -> str:
    done = subprocess.run([sys.executable, "-m", "perdure", *arguments], capture_output=True, text=True, check=True)
    return done.stdout + done.stderr


async def test_nothing_is_readable_without_the_key(tmp_path: Path):
    file = tmp_path / "cards.db"
    key = EncryptionCodec.new_key()
    app = make_app({"one": key})
    async with perdure.open(app, store=f"sqlite:///{file}") as client:
        run = await client.start("Pay", CARD, id="pay-1", memo={"kept": CARD})
        assert await run.result() == f"charged {CARD} for "
        with pytest.raises(perdure.WorkflowFailedError, match="4110 was declined"):
            await client.execute("Pay", "4110", id="pay-2")

        # Another client of the same engine, without the key.
        for id in ("pay-1", "pay-2"):
            address = RunAddress("default", id)
            page = await client._service.history(address, after=0, limit=0, wait=False)
            seen = str(page) + str(await client._service.describe(address))
            assert "binary/encrypted" in seen
            assert CARD not in seen and "4110" not in seen
        with pytest.raises(perdure.InvalidArgumentError, match="a codec that is missing"):
            await perdure.Client(client._service, namespace="default", apps=[]).get("pay-1").result()

    for file_of_store in tmp_path.iterdir():
        content = file_of_store.read_bytes()
        assert CARD.encode() not in content and b"4110" not in content and key not in content

    shown = [
        command_line("list", str(file), "--json"),
        command_line("show", str(file), "pay-1"),
        command_line("show", str(file), "pay-2", "--json"),
        command_line("history", str(file), "pay-1"),
        command_line("history", str(file), "pay-2", "--json"),
    ]
    for text in shown:
        assert CARD not in text and "4110" not in text
    assert "binary/encrypted" in shown[3]


async def test_a_run_goes_on_while_keys_are_changed(tmp_path: Path):
    store = f"sqlite:///{tmp_path / 'cards.db'}"
    may, november = EncryptionCodec.new_key(), EncryptionCodec.new_key()

    async with perdure.open(make_app({"may": may}, waits=True), store=store) as client:
        await client.start("Pay", CARD, id="pay-1")

    # The new key in front, the old one behind it.
    async with perdure.open(make_app({"november": november, "may": may}, waits=True), store=store) as client:
        run = client.get("pay-1")
        await run.signal("confirm", "Ann")
        assert await run.query("who") == "Ann"
        assert await run.result() == f"charged {CARD} for Ann"
        async with asyncio.timeout(100):
            recent = await client.start("Pay", CARD, id="pay-2")

    # Once nothing is kept that the old key has written, it can go.
    async with perdure.open(make_app({"november": november}, waits=True), store=store) as client:
        await client.get("pay-1").delete()
        await client.get("pay-2").signal("confirm", "Bob")
        assert await client.get("pay-2").result() == f"charged {CARD} for Bob"
        assert recent.id == "pay-2"


async def test_a_server_and_whoever_asks_it_by_rest_need_no_key(tmp_path: Path):
    """The keys are with the clients and the workers alone, also while they change."""
    may, november = EncryptionCodec.new_key(), EncryptionCodec.new_key()
    before = make_app({"may": may}, waits=True)
    between = make_app({"november": november, "may": may}, waits=True)
    server = Server(f"sqlite:///{tmp_path / 'cards.db'}", rest_address="127.0.0.1:0", grpc_address="127.0.0.1:0")
    await server.open()
    seen = []
    try:
        async with await perdure.connect(server.url, before) as client, perdure.Worker(client, before):
            await client.start("Pay", CARD, id="pay-1", memo={"kept": CARD})
            await client.start("Pay", "4110", id="pay-2")
            assert await client.get("pay-1").query("who") == ""
        async with await perdure.connect(server.url, between) as client, perdure.Worker(client, between):
            for id in ("pay-1", "pay-2"):
                await client.get(id).signal("confirm", f"Ann {CARD}")
            assert await client.get("pay-1").query("who") == f"Ann {CARD}"
            assert await client.get("pay-1").result() == f"charged {CARD} for Ann {CARD}"
            with pytest.raises(perdure.WorkflowFailedError, match="4110 was declined"):
                await client.get("pay-2").result()
        async with httpx.AsyncClient(base_url=f"{server.url}/api/v1/namespaces/default") as http:
            for id in ("pay-1", "pay-2"):
                for asked in ("", "/history", "/export", "/result", "/explain"):
                    answer = await http.get(f"/workflows/{id}{asked}")
                    assert answer.status_code < 500
                    seen.append(answer.text)
            listed = await http.get("/workflows")
            assert {run["workflow_id"] for run in listed.json()["runs"]} == {"pay-1", "pay-2"}
            seen.append(listed.text)
            # What REST starts is in the clear, unless its caller encrypts it: the server can't.
            result = (await http.get("/workflows/pay-1/result")).json()["result"]
            assert result["metadata"]["encoding"] == "binary/encrypted"
            copied = {"workflow_type": "Pay", "workflow_id": "pay-3", "input": [result]}
            assert (await http.post("/workflows", json=copied)).status_code == 201
        after = make_app({"november": november})
        async with await perdure.connect(server.url, after) as client, perdure.Worker(client, after):
            assert await client.get("pay-3").result() == f"charged charged {CARD} for Ann {CARD} for "
    finally:
        await server.close()
    assert sum("binary/encrypted" in text for text in seen) >= 8
    seen += [path.read_bytes().decode("latin-1") for path in tmp_path.iterdir()]
    for text in seen:
        assert CARD not in text and "4110" not in text
