"""Bearer tokens of an identity provider: JSON Web Tokens, checked by issuer, audience, time and signature.

The issuer's keys are found by OpenID Connect Discovery and cached. A token that names a key which is not known makes the
keys be fetched again, since issuers change them; but no more often than ``REFRESH_SECONDS``, since anybody can make up
key ids. When the issuer can't be reached, the keys that are known go on being used for ``STALE_SECONDS``.

Only signatures with public keys are accepted: no ``none``, and no HMAC, where an issuer's public key, which everybody
has, would be taken for a shared secret.
"""

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from perdure.model.access import Principal
from perdure.model.errors import InvalidArgumentError, UnauthenticatedError, UnavailableError
from perdure.security.exposure import is_loopback
from perdure.security.grants import Roles

if TYPE_CHECKING:
    from joserfc.jwk import KeySet

log = logging.getLogger("perdure.security")

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA")
LEEWAY_SECONDS = 30
"""Clocks differ."""
FRESH_SECONDS = 3600.0
REFRESH_SECONDS = 10.0
STALE_SECONDS = 24 * 3600.0
TIMEOUT_SECONDS = 5.0
LONGEST_TOKEN = 16 * 1024
LONGEST_ANSWER = 1024 * 1024
REMEMBERED = 10_000
REMEMBERED_SECONDS = 60.0
"""A token that was good is not checked again for so long, nor beyond its own end."""


class Identity(msgspec.Struct, frozen=True):
    """Who a token says it is, and until when (seconds since 1970)."""

    principal: Principal
    expires: float


class Issuer:
    """One identity provider.

    Args:
        url: its issuer identifier, as tokens have it in ``iss``; ``https``, or ``http`` on this machine.
        audience: what tokens must have in ``aud``: the name of this server at the provider.
        roles: what the values of ``claim`` grant.
        claim: the claim that says what somebody is, a text or a list of texts; with dots where it is nested.
        name_claim: the claim that is their name in histories and the audit log.
        now: seconds since 1970.

    Raises:
        InvalidArgumentError: something is missing or can't be used.
    """

    def __init__(
        self,
        url: str,
        audience: str,
        roles: Mapping[str, Roles],
        *,
        claim: str = "groups",
        name_claim: str = "sub",
        now: Callable[[], float] = time.time,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
            raise InvalidArgumentError(
                f"oidc_issuer: {url!r} must be an https URL: whoever is in between could forge keys."
            )
        if not audience:
            raise InvalidArgumentError("oidc_audience: set what tokens for this server have in their `aud`.")
        if not roles:
            raise InvalidArgumentError(
                f"oidc_roles: say what the values of the claim {claim!r} grant, such as 'platform=admin, billing=operator:billing'."
            )
        self.url = url
        self._audience = audience
        self._roles = roles
        self._claim = claim
        self._name_claim = name_claim
        self._now = now
        self._keys: KeySet | None = None
        self._fetched = self._tried = -STALE_SECONDS
        self._fetching = asyncio.Lock()
        self._remembered: dict[bytes, tuple[Identity, float]] = {}

    def knows(self, token: str) -> bool:
        """Whether the token was found good a moment ago."""
        known = self._remembered.get(_digest(token))
        return known is not None and self._now() < known[1]

    async def check(self, token: str) -> Identity:
        """Who comes with a token.

        Raises:
            UnauthenticatedError: it is not good, or not for this server, or grants nothing here.
            UnavailableError: the issuer's keys could not be fetched.
        """
        digest, now = _digest(token), self._now()
        known = self._remembered.get(digest)
        if known is not None and now < known[1]:
            return known[0]
        identity = self._identity(await self._claims(token))
        if len(self._remembered) >= REMEMBERED:
            self._remembered.clear()
        self._remembered[digest] = (identity, min(now + REMEMBERED_SECONDS, identity.expires))
        return identity

    async def _claims(self, token: str) -> Mapping[str, Any]:
        from joserfc import jwt
        from joserfc.errors import BadSignatureError, JoseError

        if len(token) > LONGEST_TOKEN:
            raise UnauthenticatedError("The token is too long to be one.")
        keys = await self._keys_for(_key_id(token))
        try:
            decoded = jwt.decode(token, keys, algorithms=list(ALGORITHMS))
            registry = jwt.JWTClaimsRegistry(
                now=int(self._now()),
                leeway=LEEWAY_SECONDS,
                iss={"essential": True, "value": self.url},
                aud={"essential": True, "value": self._audience},
                exp={"essential": True},
            )
            registry.validate(decoded.claims)
        except BadSignatureError:
            raise UnauthenticatedError(f"The token was not signed by {self.url}.") from None
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise UnauthenticatedError(f"The token of {self.url} is not good here: {_reason(error)}.") from None
        return decoded.claims

    def _identity(self, claims: Mapping[str, Any]) -> Identity:
        value: Any = claims
        for part in self._claim.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        held = [value] if isinstance(value, str) else value if isinstance(value, list) else []
        roles: Roles = {}
        for word in held:
            for namespace, granted in self._roles.get(word if isinstance(word, str) else "", {}).items():
                roles[namespace] = tuple(dict.fromkeys((*roles.get(namespace, ()), *granted)))
        name = claims.get(self._name_claim)
        if not isinstance(name, str) or not name:
            raise UnauthenticatedError(f"The token has no claim {self._name_claim!r}, which says whose it is.")
        if not roles:
            raise UnauthenticatedError(
                f"Nothing in the claim {self._claim!r} of the token of {name!r:.100} grants a role here."
            )
        return Identity(Principal(f"{name:.200}", roles), float(claims["exp"]) + LEEWAY_SECONDS)

    # --- keys

    async def _keys_for(self, key_id: str) -> "KeySet":
        keys, now = self._keys, self._now()
        is_known = keys is not None and (not key_id or any(key.kid == key_id for key in keys.keys))
        if keys is not None and is_known and now - self._fetched < FRESH_SECONDS:
            return keys
        async with self._fetching:
            if self._now() - self._tried >= REFRESH_SECONDS:
                await self._fetch()
        if self._keys is None or self._now() - self._fetched > STALE_SECONDS:
            raise UnavailableError(
                f"The keys of {self.url} can't be fetched, so its tokens can't be checked now. Try again."
            )
        return self._keys

    async def _fetch(self) -> None:
        import httpx
        from joserfc.errors import JoseError
        from joserfc.jwk import KeySet

        self._tried = self._now()
        try:
            async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS, follow_redirects=False) as client:
                described = await _json(client, f"{self.url.rstrip('/')}/.well-known/openid-configuration")
                if described.get("issuer") != self.url:
                    raise ValueError(f"it calls itself {described.get('issuer')!r:.200}")
                place = str(described.get("jwks_uri"))
                if urlsplit(place).scheme != "https" and not is_loopback(urlsplit(place).hostname or ""):
                    raise ValueError(f"its keys are at {place!r:.200}, which is not https")
                found = await _json(client, place)
            public = [
                key
                for key in found.get("keys", [])
                if isinstance(key, dict) and key.get("kty") in ("RSA", "EC", "OKP") and key.get("use", "sig") == "sig"
            ]
            if not public:
                raise ValueError("it has no public keys for signatures")
            self._keys = KeySet.import_key_set({"keys": public})
            self._fetched = self._now()
            self._remembered.clear()
        except (httpx.HTTPError, httpx.InvalidURL, JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
            log.warning("The keys of %s could not be fetched: %s", self.url, _reason(error))


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()


async def _json(client: Any, url: str) -> dict[str, Any]:
    async with client.stream("GET", url) as response:
        response.raise_for_status()
        content = b""
        async for chunk in response.aiter_bytes():
            content += chunk
            if len(content) > LONGEST_ANSWER:
                raise ValueError(f"{url} answers with more than {LONGEST_ANSWER:,} bytes")
    found = msgspec.json.decode(content)
    if not isinstance(found, dict):
        raise ValueError(f"{url} answers with no JSON object")
    return found


def _key_id(token: str) -> str:
    """The id of the key that a token says it was signed with; nothing is believed yet."""
    from joserfc.errors import JoseError
    from joserfc.util import urlsafe_b64decode

    try:
        header = msgspec.json.decode(urlsafe_b64decode(token.partition(".")[0].encode()))
        return str(header.get("kid", "")) if isinstance(header, dict) else ""
    except (JoseError, ValueError):
        raise UnauthenticatedError("This is no token: neither one of this server nor a JSON Web Token.") from None


def _reason(error: BaseException) -> str:
    text = str(error) or type(error).__name__
    return text[:300].rstrip(".")
