"""The server of the demo, which gets killed: Perdure over one store, with no program of its own. Runs as
``python -m perdure.demo.server``.
"""

import argparse
import asyncio

from perdure import Settings
from perdure.app.server import Server
from perdure.demo.engine import end_with_parent

WORKER_LEASE_NS = 2_000_000_000
"""A worker of the demo that was killed does not come back, so what it had need not wait for it for long."""


async def serve(store: str, rest_address: str, grpc_address: str) -> None:
    """Serve until killed."""
    settings = Settings(worker_lease_ns=WORKER_LEASE_NS)
    server = Server(store, settings, rest_address=rest_address, grpc_address=grpc_address)
    await server.open()
    await asyncio.Event().wait()


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(prog="python -m perdure.demo.server")
    parser.add_argument("--store", required=True)
    parser.add_argument("--rest-address", required=True)
    parser.add_argument("--grpc-address", required=True)
    options = parser.parse_args()
    end_with_parent()
    asyncio.run(serve(options.store, options.rest_address, options.grpc_address))


if __name__ == "__main__":
    main()
