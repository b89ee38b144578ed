"""Rates, certificates, addresses, and secrets that stay out of logs."""

import io
import logging

import pytest

from perdure.app.access import Access
from perdure.app.server import Server
from perdure.model.access import Credentials
from perdure.model.errors import InvalidArgumentError, LimitExceededError, UnauthenticatedError
from perdure.security import is_loopback, parse_mapping
from perdure.security.gate import _host_of
from perdure.security.redaction import redact_logs, redacted

LIST = {"filter": "", "statuses": [], "workflow_type": "", "cursor": "", "limit": 1}


async def test_each_caller_has_a_rate_of_its_own(secured):
    secured.gate = secured.make_gate(requests_per_second=5)
    ann, bob = await secured.token("reader", name="ann"), await secured.token("reader", name="bob")
    for _ in range(5):
        await secured.admit(ann)
    with pytest.raises(LimitExceededError, match="'ann' asks more often than 5 times a second") as refused:
        await secured.admit(ann)
    assert 0 < refused.value.retry_after_seconds <= 0.2
    await secured.admit(bob)
    secured.clock.move(0.2)
    await secured.admit(ann)


async def test_every_operation_of_a_connection_counts(secured):
    secured.gate = secured.make_gate(requests_per_second=5)
    session = await secured.session("reader")  # with the first operation paid for
    for _ in range(5):
        await session.service.list("default", **LIST)
    with pytest.raises(LimitExceededError):
        await session.service.list("default", **LIST)


async def test_certificates_grant_what_is_set(secured):
    secured.gate = secured.make_gate(certificates=parse_mapping("worker-1=worker:billing", "tls_clients"))
    session = await secured.gate.admit(Credentials("", "worker-1", "10.0.0.7"))
    assert session.principal.name == "worker-1"
    with pytest.raises(UnauthenticatedError, match="grants no role here"):
        await secured.gate.admit(Credentials("", "worker-2", "10.0.0.7"))
    # A token that is given counts, and a bad one is not made good by a certificate.
    with pytest.raises(UnauthenticatedError):
        await secured.gate.admit(Credentials("Bearer perdure_0", "worker-1", "10.0.0.7"))


@pytest.mark.parametrize(
    ("remote", "host"),
    [
        ("ipv4:10.0.0.7:50112", "10.0.0.7"),
        ("ipv6:%5B::1%5D:50112", "[::1]"),
        ("ipv6:[::1]:50112", "[::1]"),
        ("10.0.0.7", "10.0.0.7"),
        ("::1", "::1"),
        ("", ""),
    ],
)
def test_addresses_are_written_down_without_ports(remote, host):
    assert _host_of(remote) == host


# --- where a server may listen


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("localhost", True),
        ("::1", True),
        ("[::1]", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.7", False),
        ("example.org", False),
        ("localhost.example.org", False),
        ("", False),
    ],
)
def test_loopback(host, expected):
    assert is_loopback(host) is expected


@pytest.mark.parametrize("setting", ["rest_address", "grpc_address"])
@pytest.mark.parametrize("host", ["0.0.0.0", "[::]", "192.0.2.1"])
async def test_others_reach_no_server_that_trusts_everybody(tmp_path, setting, host):
    addresses = {"rest_address": "127.0.0.1:0", "grpc_address": "127.0.0.1:0"} | {setting: f"{host}:0"}
    server = Server(f"sqlite:///{tmp_path / 'work.db'}", **addresses)
    with pytest.raises(InvalidArgumentError, match=f"{setting} is .* Turn authentication on: --authentication tokens"):
        await server.open()
    assert not (tmp_path / "work.db").exists()


async def test_with_authentication_they_do(tmp_path):
    for access in (Access(authentication="tokens"),):
        server = Server(
            f"sqlite:///{tmp_path / 'work.db'}", rest_address="0.0.0.0:0", grpc_address="0.0.0.0:0", access=access
        )
        await server.open()
        await server.close()


# --- logs


def test_secrets_are_blacked_out():
    token = f"perdure_{'0' * 16}_{'ab' * 32}"
    jwt = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl"
    assert redacted(f"sent {token}!") == f"sent perdure_{'0' * 16}_(secret)!"
    assert "c2lnbmF0dXJl" not in redacted(jwt) and "eyJzdWIi" not in redacted(jwt)
    assert redacted("Authorization: Basic dXNlcjpwYXNzd29yZA==") == "Authorization: Basic (secret)"
    assert redacted("the bearer of this") == "the bearer of this"


def test_logs_are_redacted_wherever_the_secret_stands():
    stream = io.StringIO()
    logger = logging.Logger("test")
    logger.addHandler(logging.StreamHandler(stream))
    redact_logs(logger)
    redact_logs(logger)
    token = f"perdure_{'0' * 16}_{'ab' * 32}"
    logger.info("with %s", token)
    try:
        raise ValueError(f"bad token {token}")
    except ValueError:
        logger.exception("failed")
    assert "ab" * 32 not in stream.getvalue()
    assert stream.getvalue().count("(secret)") == 2
