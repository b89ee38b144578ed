"""``perdure demo``: the guided demo."""

from pathlib import Path
from typing import Annotated

import typer

EXAMPLES = """Examples:

perdure demo

perdure demo --orders 200 --kills 20 --seed 7

perdure demo --server

perdure demo --keep /tmp/demo --plain"""


def demo(
    orders: Annotated[
        int, typer.Option("--orders", metavar="N", min=1, max=100_000, help="How many orders are placed.")
    ] = 300,
    kills: Annotated[int, typer.Option("--kills", metavar="N", min=0, help="How often the engine is killed.")] = 5,
    seed: Annotated[
        int,
        typer.Option(
            "--seed", metavar="N", help="What orders, faults and kills are drawn from; the same seed, the same demo."
        ),
    ] = 1,
    keep: Annotated[
        Path | None,
        typer.Option(
            "--keep", metavar="FOLDER", help="Keep the store, the ledger and the logs there.", show_default=False
        ),
    ] = None,
    server: Annotated[
        bool,
        typer.Option(
            "--server", help="A server, workers and a client instead; the server and the workers are killed in turn."
        ),
    ] = False,
    plain: Annotated[bool, typer.Option("--plain", help="Print lines instead of a live view.")] = False,
) -> None:
    """Place orders while the engine is killed again and again, and see what was lost or done twice: nothing."""
    from perdure.demo.main import run

    raise typer.Exit(run(orders=orders, kills=kills, seed=seed, keep=keep, plain=plain, server=server))
