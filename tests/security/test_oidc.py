"""Bearer tokens of an identity provider: a real one, on this machine."""

import base64
import hmac
import json

import pytest
from joserfc import jwk
from tests.security.authority import Provider

from perdure.model.access import ALL_NAMESPACES, Credentials, Role
from perdure.model.errors import InvalidArgumentError, UnauthenticatedError, UnavailableError
from perdure.security import Issuer
from perdure.security.grants import parse_mapping

ROLES = parse_mapping("platform=admin, billing=operator:billing+worker:billing", "oidc_roles")


@pytest.fixture
def provider():
    provider = Provider()
    yield provider
    provider.close()


@pytest.fixture
def issuer(provider, clock):
    return Issuer(provider.url, "perdure", ROLES, now=clock.seconds)


async def test_a_good_token(provider, issuer, clock):
    identity = await issuer.check(provider.token(clock.seconds()))
    assert identity.principal.name == "ann@example.org"
    assert identity.principal.roles == {ALL_NAMESPACES: (Role.ADMIN,)}
    identity = await issuer.check(provider.token(clock.seconds(), groups="billing"))
    assert identity.principal.roles == {"billing": (Role.OPERATOR, Role.WORKER)}
    both = await issuer.check(provider.token(clock.seconds(), groups=["billing", "platform", "unknown", 7]))
    assert set(both.principal.roles) == {"billing", ALL_NAMESPACES}
    several = await issuer.check(provider.token(clock.seconds(), aud=["other", "perdure"]))
    assert several.principal.name == "ann@example.org"
    assert provider.asked == 1


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"exp": -600}, "not good here"),
        ({"exp": None}, "not good here"),
        ({"nbf": 600}, "not good here"),
        ({"iat": 600}, "not good here"),
        ({"exp": "soon"}, "not good here"),
        ({"aud": "another"}, "not good here"),
        ({"aud": ["another"]}, "not good here"),
        ({"aud": None}, "not good here"),
        ({"iss": "https://elsewhere.example"}, "not good here"),
        ({"iss": None}, "not good here"),
        ({"sub": None}, "no claim 'sub'"),
        ({"sub": 7}, "claim 'sub'|not good here"),
        ({"groups": None}, "grants a role"),
        ({"groups": []}, "grants a role"),
        ({"groups": ["strangers"]}, "grants a role"),
        ({"groups": {"platform": True}}, "grants a role"),
    ],
    ids=str,
)
async def test_tokens_that_are_not_good_here(provider, issuer, clock, claims, said):
    claims = {
        name: clock.seconds() + value if name in ("exp", "nbf", "iat") and isinstance(value, int) else value
        for name, value in claims.items()
    }
    with pytest.raises(UnauthenticatedError, match=said):
        await issuer.check(provider.token(clock.seconds(), **claims))


def encoded(part: dict[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def unsigned(token: str, header: dict[str, str]) -> str:
    return f"{encoded(header)}.{token.split('.')[1]}."


async def test_forged_tokens(provider, issuer, clock):
    good = provider.token(clock.seconds())
    await issuer.check(good)
    head, body, signature = good.split(".")
    other = jwk.ECKey.generate_key("P-256", {"kid": "one"})
    admin = encoded({"sub": "eve"})
    # The public key, which everybody has, as the secret of an HMAC.
    public = provider.keys[0].as_pem(private=False)
    hmac_head = encoded({"alg": "HS256", "kid": "one"})
    hmac_signature = hmac.digest(public, f"{hmac_head}.{body}".encode(), "sha256")
    forged = [
        unsigned(good, {"alg": "none"}),
        unsigned(good, {"alg": "none", "kid": "one"}),
        f"{head}.{admin}.{signature}",
        f"{head}.{body}.{'A' * len(signature)}",
        f"{head}.{body}.",
        f"{head}.{body}",
        f"{head}..{signature}",
        provider.token(clock.seconds(), key=other),
        f"{hmac_head}.{body}.{base64.urlsafe_b64encode(hmac_signature).rstrip(b'=').decode()}",
        "",
        "..",
        "a.b.c",
        "x" * 100_000,
        good + "." + good,
        "\ud800.\ud800.\ud800",
    ]
    for token in forged:
        with pytest.raises(UnauthenticatedError):
            await issuer.check(token)


async def test_keys_that_change_are_fetched_but_not_for_everybody(provider, issuer, clock):
    await issuer.check(provider.token(clock.seconds()))
    assert provider.asked == 1
    new = jwk.ECKey.generate_key("P-256", {"kid": "two", "use": "sig"})
    provider.keys.insert(0, new)
    # Made-up key ids make nobody fetch anything for a while.
    for number in range(50):
        stranger = jwk.ECKey.generate_key("P-256", {"kid": f"made-up-{number}"})
        with pytest.raises(UnauthenticatedError):
            await issuer.check(provider.token(clock.seconds(), key=stranger))
    assert provider.asked == 1
    clock.move(11)
    await issuer.check(provider.token(clock.seconds(), key=new))
    assert provider.asked == 2
    # A key that the issuer takes back is good no longer than an hour.
    old = provider.keys.pop()
    clock.move(3601)
    with pytest.raises(UnauthenticatedError):
        await issuer.check(provider.token(clock.seconds(), key=old))


async def test_an_issuer_that_cannot_be_reached(provider, issuer, clock):
    provider.is_down = True
    with pytest.raises(UnavailableError, match="can't be fetched"):
        await issuer.check(provider.token(clock.seconds()))
    provider.is_down = False
    clock.move(11)
    await issuer.check(provider.token(clock.seconds()))
    # Known keys go on being good while it is down, for a day.
    provider.is_down = True
    clock.move(20 * 3600)
    await issuer.check(provider.token(clock.seconds()))
    clock.move(5 * 3600)
    with pytest.raises(UnavailableError):
        await issuer.check(provider.token(clock.seconds()))


async def test_an_issuer_that_calls_itself_otherwise(provider, issuer, clock):
    provider.issuer = "https://elsewhere.example"
    with pytest.raises(UnavailableError):
        await issuer.check(provider.token(clock.seconds()))


async def test_secret_keys_in_a_key_set_are_not_used(provider, issuer, clock):
    shared = jwk.OctKey.generate_key(256, {"kid": "shared"})
    provider.keys.append(shared)
    with pytest.raises(UnauthenticatedError):
        await issuer.check(provider.token(clock.seconds(), key=shared, header={"alg": "HS256"}))


async def test_a_token_is_remembered_no_longer_than_it_is_good(provider, issuer, clock):
    token = provider.token(clock.seconds(), exp=int(clock.seconds()) + 20)
    await issuer.check(token)
    clock.move(49)
    await issuer.check(token)  # clocks may differ by half a minute
    clock.move(5)
    with pytest.raises(UnauthenticatedError):
        await issuer.check(token)


@pytest.mark.parametrize(
    ("url", "audience", "roles", "said"),
    [
        ("http://id.example", "perdure", ROLES, "must be an https URL"),
        ("id.example", "perdure", ROLES, "must be an https URL"),
        ("https://id.example", "", ROLES, "oidc_audience"),
        ("https://id.example", "perdure", {}, "oidc_roles"),
    ],
)
def test_settings_that_cannot_be_used(url, audience, roles, said):
    with pytest.raises(InvalidArgumentError, match=said):
        Issuer(url, audience, roles)


async def test_at_the_gate(secured, provider, clock):
    issuer = Issuer(provider.url, "perdure", ROLES, now=clock.seconds)
    secured.gate = secured.make_gate(issuer=issuer)
    token = provider.token(clock.seconds(), groups="billing")
    session = await secured.gate.admit(Credentials(f"Bearer {token}"))
    assert session.principal.name == "ann@example.org"
    await session.service.list("billing", filter="", statuses=[], workflow_type="", cursor="", limit=1)
    # A session ends with its token.
    clock.move(400)
    with pytest.raises(UnauthenticatedError, match="expired by now"):
        await session.service.list("billing", filter="", statuses=[], workflow_type="", cursor="", limit=1)
    # Both kinds of tokens are good.
    assert (await secured.admit(await secured.token("reader"))).principal.name == "somebody"
