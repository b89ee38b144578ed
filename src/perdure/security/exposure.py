"""Where a server may listen: without authentication on this machine alone."""

import ipaddress

from perdure.model.errors import InvalidArgumentError


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address. A name other than ``localhost`` may lead anywhere."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_exposure(setting: str, host: str, port: int, *, has_authentication: bool) -> None:
    """Refuse an address that others can reach while everybody who does would be let in as admin.

    Raises:
        InvalidArgumentError: the message says what to set.
    """
    if has_authentication or is_loopback(host):
        return
    raise InvalidArgumentError(
        f"{setting} is {host}:{port}, which others can reach, and the server would let everybody in. Turn authentication on: "
        "--authentication tokens, with a first token from `perdure token create FILE --role admin NAME`; or "
        "--oidc-issuer with --oidc-audience; or --tls-client-ca with --tls-clients. Or listen on 127.0.0.1 alone."
    )
