"""TLS: certificates and keys from files, checked when the server starts rather than when the first caller comes."""

import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perdure.model.errors import InvalidArgumentError

if TYPE_CHECKING:
    import grpc


class Tls:
    """The server's certificate and key, and whose certificates callers may come with.

    Args:
        certificate: a file with the server's certificate and those that lead to its issuer, PEM.
        key: a file with its key, PEM, not encrypted.
        client_ca: a file with the certificates of those who issue the clients'; empty if clients need none.
        require_client: refuse whoever comes without one.

    Raises:
        InvalidArgumentError: a file can't be read, is not what it should be, or certificate and key do not belong together.
    """

    def __init__(self, certificate: str, key: str, client_ca: str = "", *, require_client: bool = False) -> None:
        if not certificate or not key:
            raise InvalidArgumentError("TLS needs both: set tls_certificate and tls_key to PEM files.")
        if require_client and not client_ca:
            raise InvalidArgumentError("To require clients' certificates, set tls_client_ca to those who issue them.")
        self._certificate, self._key, self._client_ca = certificate, key, client_ca
        self._require_client = require_client
        self._chain = _read(certificate, "tls_certificate")
        self._private = _read(key, "tls_key")
        self._ca = _read(client_ca, "tls_client_ca") if client_ca else None
        self._check_dates()
        self.context()

    def _check_dates(self) -> None:
        from cryptography import x509

        try:
            found = x509.load_pem_x509_certificates(self._chain)[0]
        except (ValueError, IndexError):
            raise InvalidArgumentError(f"tls_certificate: {self._certificate} is no certificate in PEM.") from None
        now = datetime.now(UTC)
        if now > found.not_valid_after_utc:
            raise InvalidArgumentError(
                f"tls_certificate: {self._certificate} has expired on {found.not_valid_after_utc:%Y-%m-%d}. Renew it."
            )
        if now < found.not_valid_before_utc:
            raise InvalidArgumentError(
                f"tls_certificate: {self._certificate} is good only from {found.not_valid_before_utc:%Y-%m-%d %H:%M} UTC on. "
                "Is the clock right?"
            )

    def context(self, *_: Any) -> ssl.SSLContext:
        """For whoever listens with Python's own sockets: TLS 1.2 or newer."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            # An encrypted key must not make a server ask somebody at its terminal.
            context.load_cert_chain(self._certificate, self._key, password=lambda: b"")
        except ssl.SSLError as error:
            if "KEY_VALUES_MISMATCH" in str(error):
                raise InvalidArgumentError(
                    f"tls_key: {self._key} does not belong to the certificate in {self._certificate}."
                ) from None
            raise InvalidArgumentError(
                f"tls_key: {self._key} is no key in PEM that can be used; an encrypted one must be decrypted first."
            ) from None
        if self._ca is not None:
            try:
                context.load_verify_locations(cadata=self._ca.decode("ascii"))
            except (ssl.SSLError, UnicodeDecodeError):
                raise InvalidArgumentError(f"tls_client_ca: {self._client_ca} has no certificate in PEM.") from None
            context.verify_mode = ssl.CERT_REQUIRED if self._require_client else ssl.CERT_OPTIONAL
        return context

    def grpc_credentials(self) -> "grpc.ServerCredentials":
        """The same for gRPC."""
        import grpc

        return grpc.ssl_server_credentials(
            [(self._private, self._chain)], root_certificates=self._ca, require_client_auth=self._require_client
        )


def _read(path: str, setting: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise InvalidArgumentError(f"{setting}: {path} can't be read: {error.strerror}.") from None
