"""API tokens: shown once, stored as a hash, ended by time or by hand."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.model.access import ALL_NAMESPACES, Permission, Principal, Role
from perdure.model.errors import InvalidArgumentError, NotFoundError, UnauthenticatedError
from perdure.security import Tokens, parse_grants
from perdure.security.grants import grants_text, parse_mapping
from perdure.security.tokens import KIND

HOUR = 3600 * 10**9


async def test_a_token_is_shown_once_and_stored_as_a_hash(secured):
    token, text = await secured.tokens.create("ci", parse_grants(["reader"]), lifetime_ns=HOUR, created_by="ann")
    secret = text.rpartition("_")[2]
    assert len(bytes.fromhex(secret)) == 32
    ((key, stored),) = await secured.store.documents(KIND)
    assert key == token.id
    assert secret.encode() not in stored and bytes.fromhex(secret) not in stored
    assert token.digest == hashlib.sha256(secret.encode()).digest()
    assert secret not in repr(token)

    again = Tokens(secured.store, secured.clock)
    await again.open()
    assert again.check(text) == token


async def test_two_tokens_are_never_alike(secured):
    texts = {await secured.token("reader") for _ in range(50)}
    assert len(texts) == 50


@pytest.mark.parametrize(
    "forge",
    [
        lambda text: "",
        lambda text: "perdure_",
        lambda text: text[:-1],
        lambda text: text + "0",
        lambda text: text.upper(),
        lambda text: f"perdure_{text.split('_')[1]}_{'0' * 64}",
        lambda text: f"perdure_{'0' * 16}_{text.split('_')[2]}",
        lambda text: text[:-1] + ("0" if text[-1] != "0" else "1"),
        lambda text: f"{text}\n",
        lambda text: text.replace("perdure", "perdurе"),  # a Cyrillic letter
    ],
)
async def test_forged_tokens(secured, forge):
    text = await secured.token("admin")
    with pytest.raises(UnauthenticatedError):
        secured.tokens.check(forge(text))
    assert secured.tokens.check(text)


async def test_a_token_expires(secured):
    text = await secured.token("admin", lifetime=HOUR)
    secured.clock.move(3599)
    token = secured.tokens.check(text)
    secured.clock.move(1)
    with pytest.raises(UnauthenticatedError, match="is expired"):
        secured.tokens.check(text)
    assert token.status(secured.clock()) == "expired"


async def test_a_token_without_a_lifetime_lasts(secured):
    text = await secured.token("admin", lifetime=0)
    secured.clock.move(10**9)
    assert secured.tokens.check(text)


async def test_a_revoked_token_stays_revoked(secured):
    text = await secured.token("admin")
    token = secured.tokens.check(text)
    await secured.tokens.revoke(token.id)
    await secured.tokens.revoke(token.id)
    with pytest.raises(UnauthenticatedError, match="is revoked"):
        secured.tokens.check(text)
    again = Tokens(secured.store, secured.clock)
    await again.open()
    with pytest.raises(UnauthenticatedError, match="is revoked"):
        again.check(text)
    await again.forget(token.id)
    with pytest.raises(NotFoundError):
        again.get(token.id)


async def test_a_good_token_is_not_forgotten(secured):
    token = secured.tokens.check(await secured.token("admin"))
    with pytest.raises(InvalidArgumentError, match="Revoke it first"):
        await secured.tokens.forget(token.id)


@pytest.mark.parametrize("name", ["", " a", "a\nb", "x" * 201])
async def test_names_that_cannot_be_used(secured, name):
    with pytest.raises(InvalidArgumentError, match="needs a name"):
        await secured.tokens.create(name, parse_grants(["reader"]))


async def test_when_it_was_last_used_is_written_down_once_an_hour(secured):
    text = await secured.token("reader")
    for _ in range(20):
        await secured.admit(text)
    await secured.gate.close()
    again = Tokens(secured.store, secured.clock)
    await again.open()
    (token,) = again.all()
    assert 0 <= secured.clock() - token.last_used < HOUR


# --- grants


def test_grants_are_read_and_written():
    roles = parse_grants(["admin", "operator:billing", "worker:billing", "operator:billing"])
    assert roles == {ALL_NAMESPACES: (Role.ADMIN,), "billing": (Role.OPERATOR, Role.WORKER)}
    assert parse_grants(grants_text(roles)) == roles


@pytest.mark.parametrize("grant", ["", "root", "admin:", "admin:a:b", ":billing", "Admin"])
def test_grants_that_make_no_sense(grant):
    with pytest.raises(InvalidArgumentError, match="grants nothing"):
        parse_grants([grant])


def test_a_mapping_of_names_to_grants():
    assert parse_mapping("CN=ops=admin, billing=operator:billing+worker:billing", "x") == {
        "CN=ops": {ALL_NAMESPACES: (Role.ADMIN,)},
        "billing": {"billing": (Role.OPERATOR, Role.WORKER)},
    }
    for text in ("ops", "=admin", "ops=root"):
        with pytest.raises(InvalidArgumentError, match="oidc_roles: "):
            parse_mapping(text, "oidc_roles")


@given(
    roles=st.dictionaries(
        st.sampled_from(["a", "b", ALL_NAMESPACES]), st.sets(st.sampled_from(list(Role))), max_size=3
    ),
    namespace=st.sampled_from(["a", "b", "c", ALL_NAMESPACES]),
    permission=st.sampled_from(list(Permission)),
)
def test_a_role_in_one_namespace_is_none_in_another(roles, namespace, permission):
    principal = Principal("p", {name: tuple(held) for name, held in roles.items()})
    held = roles.get(namespace, set()) | roles.get(ALL_NAMESPACES, set())
    expected = {
        Permission.READ: bool(held),
        Permission.OPERATE: bool(held & {Role.OPERATOR, Role.ADMIN}),
        Permission.WORK: bool(held & {Role.WORKER, Role.ADMIN}),
        Permission.ADMINISTER: Role.ADMIN in held,
    }
    assert principal.may(permission, namespace) is expected[permission]
