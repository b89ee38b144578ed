"""From settings to a server."""

from perdure.app.config import Config
from perdure.app.server import Server


def server_of(config: Config) -> Server:
    """The server that the settings describe, not yet opened. Raises ``InvalidArgumentError``."""
    return Server(
        config["store"],
        config.engine,
        rest_address=str(config["rest_address"]),
        grpc_address=str(config["grpc_address"]),
    )


def url_of(config: Config, server: Server) -> str:
    """What clients on this machine connect to."""
    host = config["rest_address"].host
    everywhere = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}
    shown = everywhere.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{shown}:{server.rest_port}"
