"""What is ordered, by whom, and what the shop has: drawn from a seed, the same in every process of the demo."""

import random
from dataclasses import dataclass

DECLINED_CARD = "card-declined"
SCARCE_SKU = "poster"
PLENTIFUL_SKUS = ("book", "chair", "desk", "lamp", "mug", "pen")

PATIENCE_SECONDS = 3.0
"""How long the order system waits for an answer of the service, but for the printer's."""

DECLINED_SHARE = 0.08
SCARCE_SHARE = 0.12
SCARCE_STOCK_SHARE = 0.04


@dataclass(frozen=True)
class Order:
    """One order. ``lines`` are quantities by sku."""

    id: str
    card: str
    lines: dict[str, int]
    total_cents: int
    packing_seconds: float


def draw_orders(count: int, seed: int) -> list[Order]:
    """The orders of one demo. Some are on a card that is declined, some want what soon runs out."""
    chance = random.Random(f"orders {seed}")
    return [_draw_order(number, chance) for number in range(1, count + 1)]


def _draw_order(number: int, chance: random.Random) -> Order:
    skus = chance.sample(PLENTIFUL_SKUS, chance.randint(1, 3))
    if chance.random() < SCARCE_SHARE:
        skus.insert(chance.randint(0, len(skus)), SCARCE_SKU)
    return Order(
        id=f"{number:04}",
        card=DECLINED_CARD if chance.random() < DECLINED_SHARE else f"card-{number:04}",
        lines={sku: chance.randint(1, 3) for sku in skus},
        total_cents=chance.randint(5_00, 500_00),
        packing_seconds=round(chance.uniform(1.0, 2.5), 3),
    )


def draw_stock(orders: list[Order]) -> dict[str, int]:
    """How many of each sku the shop begins with: more than enough of most, too few of one."""
    stock = {sku: sum(order.lines.get(sku, 0) for order in orders) for sku in PLENTIFUL_SKUS}
    stock[SCARCE_SKU] = max(1, round(len(orders) * SCARCE_STOCK_SHARE))
    return stock


def draw_kill_marks(kills: int, orders: int, seed: int) -> list[tuple[int, float]]:
    """When the engine is killed: after so many orders are settled, and so many seconds later.

    One mark falls into each of ``kills`` equal parts of the first 60 % of the orders, so that there is always work to
    resume.
    """
    chance = random.Random(f"kills {seed}")
    span = 0.6 * orders / max(kills, 1)
    return [(max(1, int(span * (kill + chance.random()))), chance.uniform(0.0, 0.3)) for kill in range(kills)]
