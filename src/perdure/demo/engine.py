"""The process that gets killed: Perdure, its store, and the order sagas. Runs as ``python -m perdure.demo.engine``.

It knows nothing of its earlier lives. It opens the store, asks for every order to be fulfilled under the order's own
workflow id - which starts it, joins it, or finds it done - and ends when all are settled.
"""

import argparse
import asyncio
import os
import threading

import perdure
from perdure.demo.orders import app, fulfil, service
from perdure.demo.scenario import Order, draw_orders


async def serve(store: str, orders: list[Order], at_once: int) -> None:
    """Bring every order to its end, ``at_once`` at a time."""
    async with perdure.open(app, store=store) as client:
        await settle_all(client, orders, at_once)


async def settle_all(client: perdure.Client, orders: list[Order], at_once: int) -> None:
    """Ask for every order to be fulfilled, and wait until each is settled, ``at_once`` at a time."""
    gate = asyncio.Semaphore(at_once)

    async def settle(order: Order) -> None:
        async with gate:
            try:
                run = await client.start(fulfil, order, id=f"order-{order.id}", id_reuse="reject")
            except perdure.AlreadyExistsError:
                return  # an earlier life of this process has seen it through
            await run.result()

    async with asyncio.TaskGroup() as group:
        for order in orders:
            group.create_task(settle(order))


def end_with_parent() -> None:
    """End at once when standard input does: then the process that started this one is gone."""

    def watch() -> None:
        # Not through sys.stdin: its buffer must not be locked by a thread when the interpreter ends.
        while os.read(0, 1):
            pass
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def main() -> None:
    """Serve until all orders are settled."""
    parser = argparse.ArgumentParser(prog="python -m perdure.demo.engine")
    parser.add_argument("--store", required=True)
    parser.add_argument("--service", required=True)
    parser.add_argument("--number", type=int, required=True, help="which engine process this is, counted from 1")
    parser.add_argument("--orders", type=int, required=True)
    parser.add_argument("--at-once", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    options = parser.parse_args()
    end_with_parent()
    service.connect(options.service, lambda: options.number)
    asyncio.run(serve(options.store, draw_orders(options.orders, options.seed), options.at_once))


if __name__ == "__main__":
    main()
