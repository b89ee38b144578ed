"""Who may reach a server: its settings made into a gate, certificates, and what an admin works with."""

import ipaddress
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from perdure.app.stores import store_of
from perdure.engine.ports import Clock, Store
from perdure.model.access import ALL_NAMESPACES, Gate, OpenSession, Principal, Role
from perdure.model.errors import InvalidArgumentError
from perdure.model.service import Service
from perdure.security import (
    Administration,
    Allowance,
    AuditLog,
    Issuer,
    SecureGate,
    Tls,
    Tokens,
    TrustingGate,
    check_exposure,
    parse_mapping,
)


class Access(msgspec.Struct, frozen=True):
    """What can be set about who may do what; the fields are settings of a server and are described there."""

    authentication: str = "none"
    oidc_issuer: str = ""
    oidc_audience: str = ""
    oidc_claim: str = "groups"
    oidc_name_claim: str = "sub"
    oidc_roles: str = ""
    token_requests_per_second: int = 0
    worker_messages_per_second: int = 0
    token_request_bytes: int = 0
    failed_attempts_per_minute: int = 60
    audit_retention: int = 0
    trusted_proxies: tuple[str, ...] = ()
    tls_certificate: str = ""
    tls_key: str = ""
    tls_client_ca: str = ""
    tls_clients: str = ""

    @classmethod
    def of(cls, config: Any) -> "Access":
        """Those of a server's ``Config``."""
        return cls(**{name: config[name] for name in cls.__struct_fields__})

    @property
    def proxy_options(self) -> dict[str, Any]:
        """What uvicorn is told of proxies. By itself it would believe whatever runs on this machine, and so let it write
        any address into the audit log. Raises ``InvalidArgumentError``."""
        for text in self.trusted_proxies:
            try:
                ipaddress.ip_network(text)
            except ValueError as error:
                raise InvalidArgumentError(
                    f"trusted_proxies: {text!r:.100} is neither an address nor a network, such as 10.0.0.7 or 10.0.0.0/24: {error}."
                ) from None
        return {"proxy_headers": bool(self.trusted_proxies), "forwarded_allow_ips": list(self.trusted_proxies)}

    @property
    def allowance(self) -> Allowance:
        """How much one caller may send."""
        return Allowance(self.token_requests_per_second, self.worker_messages_per_second, self.token_request_bytes)

    @property
    def has_authentication(self) -> bool:
        """Whether callers must say who they are."""
        return self.authentication != "none" or bool(self.oidc_issuer) or bool(self.tls_clients)


class AccessControl:
    """Of one server. Raises ``InvalidArgumentError`` for settings that can't be used."""

    def __init__(self, access: Access, store: Store, clock: Clock) -> None:
        self._access = access
        self._tokens = Tokens(store, clock.now_ns)
        self._audit = AuditLog(store, clock.now_ns)
        self.administration = Administration(self._tokens, self._audit, store, clock.now_ns, access.allowance)
        self._gate: SecureGate | None = None
        certificates = parse_mapping(access.tls_clients, "tls_clients")
        if certificates and not access.tls_client_ca:
            raise InvalidArgumentError(
                "tls_clients is set, but not tls_client_ca: nobody could say whose a certificate is."
            )
        self._certificates = certificates
        self.tls = None
        if access.tls_certificate or access.tls_key or access.tls_client_ca:
            # Where nothing else lets anybody in, who has no certificate need not get further than the handshake.
            only_certificates = access.authentication == "none" and not access.oidc_issuer
            self.tls = Tls(
                access.tls_certificate,
                access.tls_key,
                access.tls_client_ca,
                require_client=bool(access.tls_client_ca) and only_certificates,
            )
        self._issuer = None
        if access.oidc_issuer:
            roles = parse_mapping(access.oidc_roles, "oidc_roles")
            self._issuer = Issuer(
                access.oidc_issuer,
                access.oidc_audience,
                roles,
                claim=access.oidc_claim,
                name_claim=access.oidc_name_claim,
                now=lambda: clock.now_ns() / 1e9,
            )

    def check_address(self, setting: str, host: str, port: int) -> None:
        """Refuse an address that others can reach while everybody would be let in. Raises ``InvalidArgumentError``."""
        check_exposure(setting, host, port, has_authentication=self._access.has_authentication)

    async def open(self, service: Service) -> Gate:
        """The gate in front of an engine whose store is open. Raises ``StoreError``."""
        await self._tokens.open()
        await self._audit.open(self._access.audit_retention)
        if not self._access.has_authentication:
            return TrustingGate(service, self._audit)
        self._gate = SecureGate(
            service,
            self._tokens,
            self._audit,
            issuer=self._issuer,
            certificates=self._certificates,
            allowance=self._access.allowance,
            failed_attempts_per_minute=self._access.failed_attempts_per_minute,
        )
        return self._gate

    async def close(self) -> None:
        """Finish writing, before the store is closed."""
        if self._gate is not None:
            await self._gate.close()
        await self._audit.close()


class FileSession(OpenSession):
    """Of whoever may write to a store's file, and so to everything in it. There is no engine to ask."""

    service: Any

    def __init__(self, who: str) -> None:
        self.principal = Principal(who, {ALL_NAMESPACES: (Role.ADMIN,)})


@asynccontextmanager
async def file_administration(url: str) -> AsyncIterator[Administration]:
    """Tokens and audit log of a store that no engine uses now. Raises ``StoreError``."""
    store = store_of(url)
    await store.open()
    tokens, audit = Tokens(store, time.time_ns), AuditLog(store, time.time_ns)
    try:
        await tokens.open()
        await audit.open()
        yield Administration(tokens, audit, store, time.time_ns)
        await audit.close()
    finally:
        await store.close()
