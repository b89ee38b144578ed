"""Who places the orders of the demo's server form. Runs as ``python -m perdure.demo.client``; ends when all are settled."""

import argparse
import asyncio

from perdure.demo.engine import end_with_parent, settle_all
from perdure.demo.scenario import Order, draw_orders
from perdure.demo.worker import reach


async def order(url: str, orders: list[Order], at_once: int) -> None:
    """Bring every order to its end, ``at_once`` at a time. The server may be away meanwhile."""
    async with await reach(url) as client:
        await settle_all(client, orders, at_once)


def main() -> None:
    """Order until all is settled."""
    parser = argparse.ArgumentParser(prog="python -m perdure.demo.client")
    parser.add_argument("--server", required=True)
    parser.add_argument("--orders", type=int, required=True)
    parser.add_argument("--at-once", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    options = parser.parse_args()
    end_with_parent()
    asyncio.run(order(options.server, draw_orders(options.orders, options.seed), options.at_once))


if __name__ == "__main__":
    main()
