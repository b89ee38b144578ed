"""Certificates and an identity provider of the tests' own: real keys, real files, a real HTTP server."""

import json
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from joserfc import jwk, jwt

DAY = timedelta(days=1)


class Authority:
    """Issues certificates into a folder."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self.folder = folder
        self.name = name
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = self._sign(name, self._key.public_key(), is_ca=True)
        self.ca = self._write(f"{name}.pem", self._certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str, *, begins: timedelta = -DAY, ends: timedelta = DAY) -> tuple[str, str]:
        """The files of a certificate and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(name, key.public_key(), is_ca=False, begins=begins, ends=ends)
        return (
            self._write(f"{name}.crt", certificate.public_bytes(serialization.Encoding.PEM)),
            self._write(
                f"{name}.key",
                key.private_bytes(
                    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
                ),
            ),
        )

    def _sign(
        self, name: str, key: Any, *, is_ca: bool, begins: timedelta = -DAY, ends: timedelta = DAY
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)]))
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + begins)
            .not_valid_after(now + ends)
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
            .add_extension(
                x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]), False
            )
        )
        return builder.sign(self._key, hashes.SHA256())

    def _write(self, name: str, content: bytes) -> str:
        path = self.folder / name
        path.write_bytes(content)
        return str(path)


class Provider:
    """An identity provider on a free port: its discovery document, its keys, and tokens."""

    def __init__(self) -> None:
        self.keys = [jwk.ECKey.generate_key("P-256", {"kid": "one", "use": "sig"})]
        self.asked = 0
        self.is_down = False
        self.issuer = ""
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.asked += self.path == "/keys"
                if provider.is_down:
                    self.send_error(503)
                    return
                if self.path == "/keys":
                    content: Any = {"keys": [key.as_dict(private=False) for key in provider.keys]}
                else:
                    content = {"issuer": provider.issuer or provider.url, "jwks_uri": f"{provider.url}/keys"}
                body = json.dumps(content).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def token(self, now: float, *, key: Any = None, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """A token, good for five minutes; claims that are None are left out."""
        key = key or self.keys[0]
        content = {
            "iss": self.url,
            "aud": "perdure",
            "sub": "ann@example.org",
            "groups": ["platform"],
            "iat": int(now),
            "nbf": int(now),
            "exp": int(now) + 300,
        } | claims
        return jwt.encode(
            {"alg": "ES256", "kid": key.kid} | (header or {}),
            {name: value for name, value in content.items() if value is not None},
            key,
            algorithms=["ES256", "HS256", "RS256"],
        )
