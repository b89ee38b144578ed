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
from perdure.app.access import Access, AccessControl
from perdure.app.rest import Outside, rest_server
from perdure.engine.clock import SystemClock
from perdure.engine.polls import Polls
from perdure.engine.service import EngineService
from perdure.engine.workers import Workers
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
        clock = SystemClock(asyncio.get_running_loop())
        service = EngineService(store, clock, workers)
        workers.open(service.engine)
        own.open(service.engine.report)
        await service.open()
        control = AccessControl(Access(), store, clock)
        server = rest_server(
            service,
            await control.open(service),
            outside,
            "127.0.0.1",
            0,
            poll_activity=Polls(workers).poll,
            administration=control.administration,
            bounds=Bounds(wait_seconds=0.01, keep_alive_seconds=0.01),
            endpoints=service.engine.operations.endpoints,
        )
        await server.start()
        self.url = f"http://127.0.0.1:{server.port}"
        self.loop, self.stopping = asyncio.get_running_loop(), asyncio.Event()
        self.ready.set()
        await self.stopping.wait()
        await server.stop()
        await control.close()
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
    with httpx.Client(base_url=f"{serving.url}/api/v1/namespaces/default") as http:
        for method, path, body in BEGUN:
            answer = http.request(method, path, json=body)
            assert answer.status_code in (200, 201), answer.text
    yield serving.url
    serving.stop()


BEGUN = [
    ("POST", "/workflows", {"workflow_type": "Account", "workflow_id": "here"}),
    ("POST", "/schedules", {"schedule_id": "here", "workflow_type": "Account", "cron": ["0 2 * * *"]}),
    ("POST", "/batches", {"batch_id": "here", "operation": "cancel", "workflow_type": "Nothing"}),
    ("PUT", "/task-queues/here", {"concurrency": 3}),
    ("POST", "/signing-secrets/here", {}),
    ("PUT", "/webhooks/here", {"secret": "here", "workflow_type": "Account"}),
]
"""Something is there of each kind."""


DOCUMENT = msgspec.json.decode(msgspec.json.encode(document(OPERATIONS, "1.2.3")))
schema = schemathesis.openapi.from_dict(DOCUMENT)


@schema.hook
def map_path_parameters(_, path_parameters):
    """Every second time it is about what is there."""
    known = {name: "default" if name == "namespace" else "here" for name in path_parameters or ()}
    return known if len(str(path_parameters)) % 2 else path_parameters


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
