"""Rates, certificates, addresses, and secrets that stay out of logs."""

import io
import logging

import msgspec
import pytest
from tests.security.authority import Provider

from perdure.app.access import Access
from perdure.app.config import SETTINGS
from perdure.app.server import Server
from perdure.model.access import Credentials
from perdure.model.errors import InvalidArgumentError, LimitExceededError, UnauthenticatedError
from perdure.security import Issuer, is_loopback, parse_mapping
from perdure.security.attempts import MOST_ADDRESSES, Attempts
from perdure.security.audit import stored_entries
from perdure.security.gate import host_of
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


async def test_a_workers_streams_share_a_rate_and_wait(secured):
    secured.gate = secured.make_gate(messages_per_second=100)
    text = await secured.token("worker", name="ann")
    one, other = await secured.admit(text), await secured.admit(text)
    stranger = await secured.session("worker")
    assert one.pace(60) == 0.0
    assert other.pace(60) == pytest.approx(0.2)
    assert one.pace(100) == pytest.approx(1.2)
    assert stranger.pace(100) == 0.0
    secured.clock.move(1.2)
    assert one.pace(0) == 0.0
    assert (await secured.make_gate().admit(Credentials(f"Bearer {text}"))).pace(10**9) == 0.0


# --- attempts


async def test_whoever_guesses_becomes_slow_and_locks_nobody_out(secured):
    secured.gate = secured.make_gate(failed_attempts_per_minute=30)
    good, wrong = await secured.token("reader"), f"perdure_{'0' * 16}_{'0' * 64}"
    for _ in range(30):
        with pytest.raises(UnauthenticatedError):
            await secured.admit(wrong)
    with pytest.raises(LimitExceededError, match=r"More than 30 attempts a minute .* from 10\.0\.0\.7") as refused:
        await secured.admit(wrong)
    assert 0 < refused.value.retry_after_seconds <= 2
    await secured.admit(good)
    with pytest.raises(UnauthenticatedError):
        await secured.admit(wrong, "10.0.0.8")
    secured.clock.move(2)
    with pytest.raises(UnauthenticatedError):
        await secured.admit(wrong)
    await secured.audit.close()
    said = [msgspec.json.decode(entry) for entry in await stored_entries(secured.store)]
    assert [entry["remote"] for entry in said if "More than 30" in entry.get("reason", "")] == ["10.0.0.7"]


async def test_signatures_are_not_checked_without_end(secured, monkeypatch):
    provider = Provider()
    try:
        roles = parse_mapping("platform=admin", "oidc_roles")
        issuer = Issuer(provider.url, "perdure", roles, now=secured.clock.seconds)
        secured.gate = secured.make_gate(issuer=issuer, failed_attempts_per_minute=10)
        known, new = (provider.token(secured.clock.seconds(), sub=name) for name in ("ann", "bob"))
        await secured.admit(known)
        head, body, _ = known.split(".")
        for number in range(10):
            with pytest.raises(UnauthenticatedError):
                await secured.admit(f"{head}.{body}.{number:086}")
        checked: list[str] = []
        monkeypatch.setattr(issuer, "check", checked.append)
        with pytest.raises(LimitExceededError):
            await secured.admit(f"{head}.{body}.{'B' * 86}")
        with pytest.raises(LimitExceededError):
            await secured.admit(new)  # nobody knows that it is good before it is checked
        monkeypatch.undo()
        assert checked == []
        await secured.admit(known)
        assert (await secured.admit(new, "10.0.0.8")).principal.name == "bob"
    finally:
        provider.close()


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("10.0.0.7", "10.0.0.7", True),
        ("10.0.0.7", "10.0.0.8", False),
        ("2001:db8::1", "[2001:db8::ffff]", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:10.0.0.7", "10.0.0.7", True),
        ("", "", True),
    ],
)
def test_what_one_address_is(one, other, same):
    attempts = Attempts(1)
    attempts.failed(one, 1)
    if same:
        with pytest.raises(LimitExceededError):
            attempts.check(other, 1)
    else:
        attempts.check(other, 1)


def test_addresses_are_not_kept_for_ever():
    attempts = Attempts(1)
    for number in range(MOST_ADDRESSES + 10):
        attempts.failed(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 1)
    attempts.check("10.0.0.0", 1)
    with pytest.raises(LimitExceededError):
        attempts.check("10.0.0.200", 1)


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
    assert host_of(remote) == host


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


def test_a_server_is_on_this_machine_alone_unless_told_otherwise():
    addresses = {one.name: one.default for one in SETTINGS if one.name.endswith("_address") and one.default}
    assert {"rest_address", "grpc_address"} <= addresses.keys()
    assert all(is_loopback(address.host) for address in addresses.values())


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
    assert redacted("signed with whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw.") == "signed with whsec_(secret)."
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
