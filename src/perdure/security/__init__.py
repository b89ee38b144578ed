"""Who calls, what they may do, and what is written down about it.

- ``gate`` admits: an API token (``tokens``), a bearer token of an identity provider (``oidc``), or a client's certificate
  becomes a principal with roles (``grants``), within its ``allowance``.
- ``guarded`` is the client port for one principal; ``permissions`` is the table of what each operation needs.
- ``audit`` keeps the log of refusals and administrative acts, each entry chained to the one before (``chain``).
- ``tls`` reads certificates and keys; ``exposure`` refuses to listen where everybody could come in; ``redaction`` keeps
  secrets out of logs.

It knows the model and the store's documents; protocols know of it only what ``model.access`` says.
"""

from perdure.security.administration import Administration
from perdure.security.allowance import Allowance
from perdure.security.audit import AuditLog
from perdure.security.chain import Head, Verdict, verify
from perdure.security.exposure import check_exposure, is_loopback
from perdure.security.gate import SecureGate
from perdure.security.grants import parse_grants, parse_mapping
from perdure.security.oidc import Issuer
from perdure.security.redaction import redact_logs
from perdure.security.tls import Tls
from perdure.security.tokens import Token, Tokens
from perdure.security.trusting import TrustingGate

__all__ = [
    "Administration",
    "Allowance",
    "AuditLog",
    "Head",
    "Issuer",
    "SecureGate",
    "Tls",
    "Token",
    "Tokens",
    "TrustingGate",
    "Verdict",
    "check_exposure",
    "is_loopback",
    "parse_grants",
    "parse_mapping",
    "redact_logs",
    "verify",
]
