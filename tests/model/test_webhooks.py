"""Signatures, against the specification's own library."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook

from perdure.model.errors import InvalidArgumentError, UnauthenticatedError
from perdure.model.webhooks import key_of, secret_of, sign, verify

KEYS = st.binary(min_size=24, max_size=64)
IDS = st.from_regex(r"[A-Za-z0-9_-]{1,60}", fullmatch=True)
NOW = 1_780_000_000


@given(KEYS, IDS, st.text())
def test_both_sign_alike(key, message_id, body):
    secret = secret_of(key)
    assert key_of(secret) == key
    theirs = Webhook(secret).sign(message_id, datetime.fromtimestamp(NOW, UTC), body)
    assert sign(secret, message_id, NOW, body.encode()) == theirs
    verify([secret], message_id, str(NOW), f"v1,other {theirs}", body.encode(), NOW + 299, 300)


@given(KEYS, KEYS, IDS, st.binary(), st.binary())
def test_nothing_else_is_good(key, other, message_id, body, changed):
    signature = sign(secret_of(key), message_id, NOW, body)
    for keys, text, now in (
        ([], body, NOW),
        ([other] if other != key else [], body, NOW),
        ([key], changed if changed != body else body + b"x", NOW),
        ([key], body, NOW + 301),
        ([key], body, NOW - 301),
    ):
        with pytest.raises(UnauthenticatedError):
            verify(map(secret_of, keys), message_id, str(NOW), signature, text, now, 300)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_short", "whsec_" + "A" * 200, "whsec_ä", "x" * 32 + "!"])
def test_what_is_no_secret_is_refused_without_showing_it(secret):
    with pytest.raises(InvalidArgumentError) as refused:
        key_of(secret)
    assert not secret.removeprefix("whsec_") or secret not in str(refused.value)
