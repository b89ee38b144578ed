"""Whether what was promised is true, by the service's ledger alone.

``standing_of`` looks at one order at any moment, so the live view uses it too. ``judge`` looks at the whole ledger in
the end and lists everything that must not be. Pure: books in, verdict out.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from perdure.demo.ledger import Books, OrderBooks
from perdure.demo.scenario import Order

EMPTY = OrderBooks()


class Standing(StrEnum):
    """Where an order stands. The last two are the only ones it may end in."""

    UNSEEN = "not begun"
    PAYING = "paying"
    RESERVING = "reserving and packing"
    SHIPPING = "invoiced and shipping"
    FULFILLED = "fulfilled"
    UNDONE = "undone"


class Cause(StrEnum):
    """Why an order was undone, as far as the ledger tells."""

    DECLINED = "the card was declined"
    OUT_OF_STOCK = "something was out of stock"
    PRINTER = "the printer failed"
    KILL = "a kill took its only attempt at printing"


class Promise(StrEnum):
    """What must be true in the end."""

    SETTLED = "every order is fulfilled or fully undone"
    CHARGED_ONCE = "nobody is charged twice"
    NOT_HELD = "nothing is reserved for ever"
    AT_MOST_ONCE = "no invoice is printed twice"
    RESUMED = "work goes on after every kill"
    ADDS_UP = "money, goods and causes add up"
    SOUND = "the engine's store is sound"


@dataclass(frozen=True)
class Kill:
    """A kill: no process had a number above ``engine`` then; ``at_ns`` is of the machine's monotonic clock, ``what`` says
    to people what was killed."""

    engine: int
    at_ns: int
    what: str = "engine"


@dataclass(frozen=True)
class Offence:
    """A promise that was not kept. ``order_id`` is empty when it is about no single order."""

    promise: Promise
    text: str
    order_id: str = ""

    def __str__(self) -> str:
        return f"order {self.order_id}: {self.text}" if self.order_id else self.text


@dataclass(frozen=True)
class Verdict:
    """What the ledger says. ``resumed_seconds`` are in the order of the kills; None where no step was resumed."""

    standings: Counter[Standing]
    causes: Counter[Cause]
    offences: Sequence[Offence]
    resumed_seconds: Sequence[float | None]
    runs_per_second: float
    charged: int
    reserved: int
    invoices: int
    requests: int
    faults: int


def judge(books: Books, orders: Sequence[Order], kills: Sequence[Kill]) -> Verdict:
    """Look at everything.

    Args:
        books: the service's ledger, after the engine has said it is done.
        orders: what was ordered.
        kills: when the engine was killed, in order.
    """
    standings: Counter[Standing] = Counter()
    causes: Counter[Cause] = Counter()
    offences: list[Offence] = []
    for order in orders:
        of_order = books.orders.get(order.id, EMPTY)
        standing = standing_of(order, of_order)
        standings[standing] += 1
        if standing is Standing.UNDONE and (cause := _cause(of_order, kills)) is not None:
            causes[cause] += 1
        elif standing is Standing.UNDONE:
            offences.append(Offence(Promise.ADDS_UP, "undone, although nothing had gone wrong", order.id))
        for promise, text in (
            *_standing_offences(order, of_order, standing),
            *_money_offences(order, of_order),
            *_goods_offences(of_order),
        ):
            offences.append(Offence(promise, text, order.id))
    strangers = books.orders.keys() - {order.id for order in orders}
    offences += [Offence(Promise.ADDS_UP, "nobody ordered this", order_id) for order_id in sorted(strangers)]
    offences += [Offence(Promise.ADDS_UP, text) for text in _stock_offences(books)]
    resumed = [resumed_seconds(books, kill) for kill in kills]
    offences += [
        Offence(Promise.RESUMED, f"no step was resumed after kill {number}")
        for number, seconds in enumerate(resumed, 1)
        if seconds is None
    ]
    return Verdict(
        standings=standings,
        causes=causes,
        offences=offences,
        resumed_seconds=resumed,
        runs_per_second=_runs_per_second(books, len(orders)),
        charged=sum(charge.accepted for of_order in books.orders.values() for charge in of_order.charges),
        reserved=sum(line.state != "refused" for of_order in books.orders.values() for line in of_order.reservations),
        invoices=sum(len(of_order.invoices) for of_order in books.orders.values()),
        requests=len(books.requests),
        faults=sum(bool(request.fault) for request in books.requests),
    )


def standing_of(order: Order, books: OrderBooks) -> Standing:
    """Where one order stands, if nothing is wrong with it."""
    if not books.requests:
        return Standing.UNSEEN
    if not any(charge.accepted for charge in books.charges):
        return Standing.UNDONE if books.charges else Standing.PAYING
    if books.refunds:
        # Goods are released before money is given back, so the refund is the last step of undoing.
        return Standing.UNDONE
    shipped: Counter[str] = Counter()
    for line in books.reservations:
        if line.state == "shipped":
            shipped[line.sku] += line.quantity
    if shipped == Counter(order.lines):
        return Standing.FULFILLED
    return Standing.SHIPPING if books.invoices else Standing.RESERVING


def resumed_seconds(books: Books, kill: Kill) -> float | None:
    """From a kill to the first request of a later process for an order that was under way; None without one.

    If by chance all orders under way had just made their last request, the first one for any order counts.
    """
    under_way = {request.order_id for request in books.requests if request.arrived_ns < kill.at_ns}
    later = [request for request in books.requests if request.engine > kill.engine]
    for request in [request for request in later if request.order_id in under_way] or later:
        return (request.arrived_ns - kill.at_ns) / 1e9
    return None


# --- one order

Found = Iterator[tuple[Promise, str]]


def _standing_offences(order: Order, books: OrderBooks, standing: Standing) -> Found:
    """What must not be in the end, given where the order stands."""
    shipped = [line for line in books.reservations if line.state == "shipped"]
    match standing:
        case Standing.UNSEEN:
            yield Promise.SETTLED, "lost: it never reached the service"
        case Standing.PAYING:
            yield Promise.SETTLED, "stuck: neither paid nor declined"
        case Standing.RESERVING | Standing.SHIPPING:
            lines = f"{len(shipped)} of {len(order.lines)} lines shipped"
            yield Promise.SETTLED, f"stuck: paid, but neither fulfilled nor refunded, with {lines}"
        case Standing.FULFILLED:
            if not books.invoices:
                yield Promise.ADDS_UP, "shipped without an invoice"
        case Standing.UNDONE:
            if shipped:
                yield Promise.SETTLED, "shipped, but not paid"
            charged = {charge.id for charge in books.charges if charge.accepted}
            if charged - {refund.charge_id for refund in books.refunds}:
                yield Promise.SETTLED, "undone, but a charge was not refunded"
        case _:
            assert_never(standing)


def _money_offences(order: Order, books: OrderBooks) -> Found:
    """What is wrong with an order's charges, refunds and invoices, wherever it stands."""
    cents = {charge.id: charge.cents for charge in books.charges if charge.accepted}
    if len(cents) > 1:
        yield Promise.CHARGED_ONCE, f"charged {len(cents)} times"
    for charged in cents.values():
        if charged != order.total_cents:
            yield Promise.ADDS_UP, f"charged {charged} cents instead of {order.total_cents}"
    for charge_id, times in Counter(refund.charge_id for refund in books.refunds).items():
        if times > 1:
            yield Promise.ADDS_UP, f"refunded {times} times"
        if charge_id not in cents:
            yield Promise.ADDS_UP, "refunded without a charge"
    for refund in books.refunds:
        if refund.cents != cents.get(refund.charge_id, refund.cents):
            yield Promise.ADDS_UP, f"refunded {refund.cents} of {cents[refund.charge_id]} cents"
    asked = sum(request.action == "invoice" for request in books.requests)
    if len(books.invoices) > 1:
        yield Promise.AT_MOST_ONCE, f"its invoice was printed {len(books.invoices)} times"
    elif asked > 1:
        yield Promise.AT_MOST_ONCE, f"the printer was asked {asked} times, but may be asked only once"


def _goods_offences(books: OrderBooks) -> Found:
    """What is wrong with an order's reservations, wherever it stands."""
    for line in books.reservations:
        if line.state == "held":
            yield Promise.NOT_HELD, f"{line.quantity} {line.sku} still reserved"
    for sku, times in Counter(line.sku for line in books.reservations if line.state != "refused").items():
        if times > 1:
            yield Promise.ADDS_UP, f"{sku} was reserved {times} times"


def _cause(books: OrderBooks, kills: Sequence[Kill]) -> Cause | None:
    """Why the order was undone; None when the ledger knows of no reason."""
    if not any(charge.accepted for charge in books.charges):
        return Cause.DECLINED
    if any(line.state == "refused" for line in books.reservations):
        return Cause.OUT_OF_STOCK
    if any(request.action == "invoice" and request.fault for request in books.requests):
        return Cause.PRINTER
    # The kill may have come between the commit that starts the attempt and the request, so there need not be one.
    first, last = books.requests[0].arrived_ns, books.requests[-1].arrived_ns
    return Cause.KILL if any(first < kill.at_ns < last for kill in kills) else None


# --- all orders together


def _stock_offences(books: Books) -> Iterator[str]:
    """Every piece that is not free must be held or shipped."""
    gone: Counter[str] = Counter()
    for of_order in books.orders.values():
        for line in of_order.reservations:
            if line.state in ("held", "shipped"):
                gone[line.sku] += line.quantity
    for sku, initial, free in books.stock:
        if free + gone[sku] != initial:
            yield f"of {initial} {sku}, {free} are free and {gone[sku]} are held or shipped"


def _runs_per_second(books: Books, orders: int) -> float:
    """Over the whole time in which the service had anything to do, kills included."""
    if len(books.requests) < 2:
        return 0.0
    return orders * 1e9 / (books.requests[-1].arrived_ns - books.requests[0].arrived_ns)
