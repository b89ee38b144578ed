"""The operator's pages, over HTTP as anything that probes or scrapes sees them."""

import asyncio

import httpx
from tests.observability.scene import waits, watched_engine

from perdure.app.server import Server
from perdure.model.access import OpenGate
from perdure.model.errors import PermissionDeniedError, UnauthenticatedError
from perdure.observability.http import OBSERVED, ObservedApplication, OperatorPages


class ClosedSession:
    def __init__(self, gate):
        self.gate = gate

    def require(self, permission, namespace):
        self.gate.required.append((str(permission), namespace))
        raise PermissionDeniedError("only readers of all namespaces may see this")


class ClosedGate(OpenGate):
    """Knows one token, and lets its bearer do nothing."""

    def __init__(self):
        self.required = []

    async def admit(self, credentials):
        if credentials.authorization != "Bearer known":
            raise UnauthenticatedError("there is no such token")
        return ClosedSession(self)


def browser(application) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=application), base_url="http://server")


async def rest(scope, receive, send):
    """What stands behind."""
    if scope["path"] == "/broken":
        raise RuntimeError("broken")
    scope[OBSERVED]["route"] = "/runs/{id}"
    await send({"type": "http.response.start", "status": 202, "headers": []})
    await send({"type": "http.response.body", "body": b"rest"})


async def test_a_live_and_ready_engine_says_so(store_url):
    async with watched_engine(store_url) as (embedded, watched):
        async with browser(OperatorPages(watched, OpenGate(embedded.service), "1")) as http:
            live, ready = await http.get("/health/live"), await http.get("/health/ready")
            assert (live.status_code, live.json()) == (200, {"status": "live"})
            assert (ready.status_code, ready.json()) == (200, {"status": "ready"})
            watched.drain()
            ready = await http.get("/health/ready")
            assert ready.status_code == 503
            assert ready.json() == {"status": "not ready", "reasons": ["the server is about to stop"]}
            assert (await http.get("/health/live")).status_code == 200
            assert (await http.post("/health/live")).status_code == 405
            assert (await http.get("/elsewhere")).status_code == 404


async def test_an_engine_that_is_closed_is_not_ready(store_url):
    async with watched_engine(store_url) as (embedded, watched):
        application = OperatorPages(watched, OpenGate(embedded.service), "1")
    async with browser(application) as http:
        assert (await http.get("/health/ready")).json()["reasons"][0] == "the server is stopping"


async def test_metrics_need_a_reader_of_all_namespaces(store_url):
    gate = ClosedGate()
    async with watched_engine(store_url) as (_, watched):
        async with browser(OperatorPages(watched, gate, "1")) as http:
            nobody = await http.get("/metrics")
            assert (nobody.status_code, nobody.headers["www-authenticate"]) == (401, "Bearer")
            assert nobody.headers["content-type"] == "application/problem+json"
            known = await http.get("/metrics", headers={"Authorization": "Bearer known"})
            assert (known.status_code, gate.required) == (403, [("read", "*")])
            assert (await http.get("/health/ready")).status_code == 200


async def test_metrics_show_the_requests_of_the_application_behind(store_url):
    async with watched_engine(store_url) as (embedded, watched):
        await embedded.client.start(waits)
        pages = OperatorPages(watched, OpenGate(embedded.service), "1")
        async with browser(ObservedApplication(rest, watched)) as http, browser(pages) as operator:
            assert (await http.get("/api/v1/runs/17")).text == "rest"
            assert (await http.get("/api/v1/runs/18")).status_code == 202
            try:
                await http.request("BREW", "/broken")
            except RuntimeError:
                pass
            text = (await operator.get("/metrics")).text
    assert 'perdure_http_requests_total{method="GET",route="/runs/{id}",status="202"} 2.0' in text
    assert 'perdure_http_requests_total{method="other",route="other",status="500"} 1.0' in text
    assert 'perdure_workflows_started_total{namespace="default",workflow_type="waits"} 1.0' in text


async def test_a_server_without_metrics_has_no_page_for_them(store_url):
    async with watched_engine(store_url) as (embedded, watched):
        gate = OpenGate(embedded.service)
        async with browser(OperatorPages(watched, gate, "1", with_metrics=False)) as http:
            assert (await http.get("/metrics")).status_code == 404


async def test_a_real_server_answers_its_operator(tmp_path):
    server = Server(f"sqlite:///{tmp_path / 'runs.db'}", rest_address="127.0.0.1:0", grpc_address="127.0.0.1:0")
    await server.open()
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.rest_port}") as http:
            for _ in range(100):
                if (await http.get("/health/ready")).status_code == 200:
                    break
                await asyncio.sleep(0.01)
            assert (await http.get("/health/ready")).json() == {"status": "ready"}
            assert (await http.get("/api/v1/server")).status_code == 200
            text = (await http.get("/metrics")).text
            assert 'perdure_http_requests_total{method="GET",route="/server",status="200"} 1.0' in text
            assert (await http.get("/metrics", headers={"Host": "evil.example"})).status_code == 421
    finally:
        await server.close()
