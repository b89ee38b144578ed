"""A server that lets in who has a token of an identity provider, and nobody else."""

import base64
import json
import time

import httpx
import pytest
from joserfc import jwk
from tests.security.authority import Provider
from tests.security.test_server import LOCAL, path_of

import perdure
from perdure.app.access import Access
from perdure.app.server import Server
from perdure.protocols.rest import OPERATIONS


@pytest.fixture
def provider():
    provider = Provider()
    yield provider
    provider.close()


@pytest.fixture
async def server(provider, tmp_path):
    access = Access(
        oidc_issuer=provider.url,
        oidc_audience="perdure",
        oidc_roles="platform=admin, billing=reader:mine",
        failed_attempts_per_minute=0,
    )
    server = Server(f"sqlite:///{tmp_path / 'work.db'}", access=access, **LOCAL)
    await server.open()
    yield server
    await server.close()


def bad_tokens(provider):
    now = time.time()
    head, body, signature = provider.token(now).split(".")
    unsigned = base64.urlsafe_b64encode(json.dumps({"alg": "none"}).encode()).rstrip(b"=").decode()
    return {
        "expired": provider.token(now, exp=int(now) - 600),
        "for another audience": provider.token(now, aud="another"),
        "of another issuer": provider.token(now, iss="https://elsewhere.example"),
        "without a role": provider.token(now, groups=["strangers"]),
        "signed by another": provider.token(now, key=jwk.ECKey.generate_key("P-256", {"kid": "one"})),
        "changed": f"{head}.{body[:-2]}AA.{signature}",
        "unsigned": f"{unsigned}.{body}.",
    }


async def test_no_endpoint_of_rest_takes_a_token_that_is_not_good_here(server, provider):
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.rest_port}", timeout=30) as http:
        good = {"authorization": f"Bearer {provider.token(time.time())}"}
        assert (await http.get("/api/v1/namespaces/mine/workflows", headers=good)).status_code in (200, 404)
        for what, token in bad_tokens(provider).items():
            for operation in OPERATIONS:
                if not operation.is_public:
                    given = {"authorization": f"Bearer {token}"}
                    answer = await http.request(operation.method, path_of(operation), headers=given, json={})
                    assert answer.status_code == 401, (operation.name, what, answer.text)
                    assert answer.json()["code"] == "unauthenticated"


async def test_clients_of_a_stream_are_let_in_by_the_same_tokens(server, provider):
    url = f"http://127.0.0.1:{server.rest_port}"
    async with await perdure.connect(url, token=provider.token(time.time())) as client:
        assert [run async for run in client.list()] == []
    for what, token in bad_tokens(provider).items():
        with pytest.raises(perdure.UnauthenticatedError):
            async with await perdure.connect(url, token=token) as client:
                await client.count()
            pytest.fail(what)


async def test_a_group_has_the_roles_that_the_settings_give_it(server, provider):
    given = {"authorization": f"Bearer {provider.token(time.time(), groups=['billing'])}"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.rest_port}/api/v1", headers=given) as http:
        assert (await http.get("/namespaces/other/workflows")).status_code == 403
        started = await http.post("/namespaces/mine/workflows", json={"workflow_type": "W", "workflow_id": "w"})
        assert started.status_code == 403 and started.json()["code"] == "permission_denied"
