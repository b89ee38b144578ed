"""AWS Signature Version 4: who has signed a request, for which account and region, and whether the signature is right.

The arithmetic is botocore's, which made the signature. Whether a secret is known is for the gate to say.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple

from starlette.requests import Request

from perdure.model.access import Signature
from perdure.protocols.stepfunctions.parts import Parts
from perdure.protocols.stepfunctions.refusals import Refusal

ALGORITHM = "AWS4-HMAC-SHA256"
_PIECE = re.compile(r"(Credential|SignedHeaders|Signature)=([^,\s]+)")
_ACCOUNT = re.compile(r"\d{12}")


class Signed(NamedTuple):
    """On whose behalf a request comes; ``signature`` is None where nobody has to sign."""

    account: str
    region: str
    signature: Signature | None


class _Claim(NamedTuple):
    """What an ``Authorization`` header says."""

    key_id: str
    date: str
    region: str
    service: str
    headers: tuple[str, ...]
    signature: str


def signed_by(request: Request, body: bytes, parts: Parts) -> Signed:
    """Read the signature; without authentication it only says which account and region are meant.

    Raises ``Refusal`` for a signature that can't be read, is too old or signs too little.
    """
    authorization = request.headers.get("authorization", "")
    if not authorization.startswith(ALGORITHM):
        if parts.has_authentication and not authorization.lower().startswith("bearer "):
            raise Refusal("MissingAuthenticationTokenException", "Missing Authentication Token", 403)
        return Signed(parts.account, parts.region, None)
    claim = _claim(authorization)
    if not parts.has_authentication:
        account = claim.key_id if _ACCOUNT.fullmatch(claim.key_id) else parts.account
        return Signed(account, claim.region or parts.region, None)
    _check_time(request.headers.get("x-amz-date", ""), claim, parts)
    if "host" not in claim.headers or "x-amz-date" not in claim.headers:
        raise Refusal("IncompleteSignatureException", "'Host' and 'X-Amz-Date' must be 'SignedHeaders'.", 400)
    known = {name: request.headers.get(name, "") for name in claim.headers}
    if known.get("x-amz-content-sha256", hashlib.sha256(body).hexdigest()) != hashlib.sha256(body).hexdigest():
        raise Refusal("InvalidSignatureException", "X-Amz-Content-SHA256 is not the hash of the body.", 403)
    right = partial(_is_right, claim, request.method, request.url.path, request.url.query, known, body)
    return Signed(parts.account, claim.region or parts.region, Signature(claim.key_id, right))


def _claim(authorization: str) -> _Claim:
    pieces = dict(_PIECE.findall(authorization))
    scope = pieces.get("Credential", "").split("/")
    if len(pieces) != 3 or len(scope) != 5:
        raise Refusal(
            "IncompleteSignatureException",
            "Authorization header requires 'Credential', 'SignedHeaders' and 'Signature' parameters.",
            400,
        )
    key_id, date, region, service, _ = scope
    return _Claim(key_id, date, region, service, tuple(pieces["SignedHeaders"].split(";")), pieces["Signature"])


def _check_time(stamp: str, claim: _Claim, parts: Parts) -> None:
    try:
        when = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise Refusal(
            "IncompleteSignatureException", f"Date must be in ISO-8601 'basic format'. Got '{stamp:.100}'."
        ) from None
    if not stamp.startswith(claim.date):
        raise Refusal("InvalidSignatureException", "Date in Credential scope does not match X-Amz-Date.", 403)
    off = parts.now() - when
    if abs(off) > parts.bounds.clock_skew_seconds:
        word = "expired" if off > 0 else "not yet current"
        raise Refusal("InvalidSignatureException", f"Signature {word}: {stamp} is {abs(off):.0f} s off.", 403)


def _is_right(
    claim: _Claim, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes, secret: str
) -> bool:
    """Whether whoever made the signature had the secret."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    url = f"http://{headers['host']}{path}" + (f"?{query}" if query else "")
    request = AWSRequest(method=method, url=url, data=body, headers=dict(headers))
    request.context["timestamp"] = headers["x-amz-date"]
    auth = SigV4Auth(Credentials(claim.key_id, secret), claim.service, claim.region)
    wanted = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
    return hmac.compare_digest(wanted.encode(), claim.signature.encode())
