"""Whether the server of this container is alive, by its own settings: ends with 0 if it is, and otherwise says why it is not.

It asks the address where the server listens, over TLS where that is set up. The certificate is not looked at, since it is
not for the name by which a container calls itself. A server that lets in certificates of its clients has none for this
one, so it must do no more than speak TLS.
"""

import socket
import ssl
import sys
from urllib.request import urlopen

from perdure.app.config import Address, read_config

PATIENCE_SECONDS = 2.0
ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def main() -> str | None:
    """What is wrong; None if it is alive."""
    config = read_config()
    at: Address = config["rest_address"]
    host = ANY.get(at.host, at.host)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        if config["tls_client_ca"]:
            with socket.create_connection((host, at.port), PATIENCE_SECONDS) as connection:
                context.wrap_socket(connection).close()
        else:
            scheme = "https" if config["tls_certificate"] else "http"
            urlopen(f"{scheme}://{Address(host, at.port)}/health/live", timeout=PATIENCE_SECONDS, context=context)
    except OSError as error:
        return f"{host}:{at.port}: {error}"
    return None


if __name__ == "__main__":
    sys.exit(main())
