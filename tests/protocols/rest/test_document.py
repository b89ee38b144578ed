"""Whatever the OpenAPI document allows gets an answer that the document describes, and never a 5xx."""

import asyncio
import re
import threading
from urllib.parse import urljoin

import httpx
import hypothesis
import msgspec
import pytest
import schemathesis
from tests.protocols.rest.programs import app

from perdure.app import memory_store
from perdure.app.rest import Outside, rest_server
from perdure.engine.clock import SystemClock
from perdure.engine.polls import Polls
from perdure.engine.service import EngineService
from perdure.engine.workers import Workers
from perdure.model.access import OpenGate
from perdure.protocols.rest import OPERATIONS, Bounds
from perdure.protocols.rest.openapi import document
from perdure.sdk.own_apps import own_apps
from perdure.sdk.worker import LocalWorker


class Serving(threading.Thread):
    """A server in a thread of its own: schemathesis does not speak asyncio."""

    def __init__(self):
        super().__init__(daemon=True)
        self.ready = threading.Event()
        self.url = ""

    def run(self):
        asyncio.run(self.serve())

    async def serve(self):
        store = memory_store()
        outside = Outside(store)
        own = LocalWorker([app], own_apps=[*own_apps(lambda: service), outside.app(lambda: service)])
        workers = Workers(own)
        service = EngineService(store, SystemClock(asyncio.get_running_loop()), workers)
        workers.open(service.engine)
        own.open(service.engine.report)
        await service.open()
        server = rest_server(
            service,
            OpenGate(service),
            outside,
            "127.0.0.1",
            0,
            poll_activity=Polls(workers).poll,
            bounds=Bounds(wait_seconds=0.01, keep_alive_seconds=0.01),
        )
        await server.start()
        self.url = f"http://127.0.0.1:{server.port}"
        self.loop, self.stopping = asyncio.get_running_loop(), asyncio.Event()
        self.ready.set()
        await self.stopping.wait()
        await server.stop()
        await own.close()
        await service.close()

    def stop(self):
        self.loop.call_soon_threadsafe(self.stopping.set)
        self.join()


@pytest.fixture(scope="module")
def url():
    serving = Serving()
    serving.start()
    assert serving.ready.wait(30)
    yield serving.url
    serving.stop()


DOCUMENT = msgspec.json.decode(msgspec.json.encode(document(OPERATIONS, "1.2.3")))
schema = schemathesis.openapi.from_dict(DOCUMENT)


@pytest.mark.slow
@schema.parametrize()
@hypothesis.settings(max_examples=6, deadline=None)
def test_every_answer_is_as_described(url, case):
    case.call_and_validate(
        base_url=url,
        checks=[
            schemathesis.checks.not_a_server_error,
            schemathesis.checks.status_code_conformance,
            schemathesis.checks.content_type_conformance,
            schemathesis.checks.response_schema_conformance,
        ],
    )


def test_every_operation_says_what_it_does(url):
    assert httpx.get(f"{url}/api/v1/openapi.json").json() == {**DOCUMENT, "info": {**DOCUMENT["info"], "version": ""}}
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            assert operation["summary"], (method, path)
            assert all(parameter["description"] for parameter in operation["parameters"]), (method, path)
    names = [operation.name for operation in OPERATIONS]
    assert len(names) == len(set(names))
    for name, component in DOCUMENT["components"]["schemas"].items():
        assert component.get("description"), name


def test_the_page_needs_nothing_from_elsewhere(url):
    page = httpx.get(f"{url}/api/docs")
    assert page.status_code == 200 and "default-src 'self'" in page.headers["content-security-policy"]
    wanted = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert {"docs/swagger-ui.css", "docs/swagger-ui-bundle.js", "docs/page.js"} <= set(wanted)
    for address in wanted:
        if not address.startswith("data:"):
            assert not address.startswith(("http:", "https:", "//")), address
            asset = httpx.get(urljoin(f"{url}/api/docs", address))
            assert asset.status_code == 200 and asset.content, address
