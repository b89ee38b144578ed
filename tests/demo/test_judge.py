"""The judge must be able to say no: each kind of fault, planted in a sound ledger, is found."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from perdure.demo.judge import Cause, Kill, Promise, Standing, Verdict, judge, standing_of
from perdure.demo.ledger import ACTIONS, Answer, Body, Ledger, OrderBooks, read_books
from perdure.demo.scenario import DECLINED_CARD, Order

FULFILLED = Order("0001", "card-1", {"book": 2, "pen": 1}, 42_00, 1.0)
SOLD_OUT = Order("0002", "card-2", {"book": 1, "poster": 1}, 10_00, 1.0)
DECLINED = Order("0003", DECLINED_CARD, {"pen": 1}, 5_00, 1.0)
UNPRINTED = Order("0004", "card-4", {"pen": 3}, 7_00, 1.0)
ORDERS = [FULFILLED, SOLD_OUT, DECLINED, UNPRINTED]


class Shop:
    """Plays the engine's part, by hand. ``fault`` is what the service notes for the next request."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ledger = Ledger(path)
        self.ledger.put_in_stock({"book": 10, "pen": 10, "poster": 0})
        self.engine = 1

    def ask(self, action: str, order: Order, fault: str = "", **arguments: object) -> Body:
        request = self.ledger.note_arrival(self.engine, action, order.id)

        def effect(db: sqlite3.Connection) -> Answer:
            return ACTIONS[action](db, order.id, dict(arguments))

        answer, _ = self.ledger.once("", effect)
        self.ledger.note_end(request, answer.status, fault, False)
        return answer.body

    def charge(self, order: Order) -> int | None:
        return self.ask("charge", order, card=order.card, cents=order.total_cents).get("payment")

    def reserve(self, order: Order) -> list[int]:
        answers = [self.ask("reserve", order, sku=sku, quantity=count) for sku, count in order.lines.items()]
        return [answer["reservation"] for answer in answers if "reservation" in answer]

    def fulfil(self, order: Order) -> None:
        self.charge(order)
        held = self.reserve(order)
        self.ask("invoice", order)
        for reservation in held:
            self.ask("ship", order, reservation=reservation)

    def undo(self, order: Order, invoice_fault: str = "") -> None:
        payment = self.charge(order)
        if payment is None:
            return
        held = self.reserve(order)
        if len(held) == len(order.lines):
            self.ask("invoice", order, fault=invoice_fault)
        for reservation in held:
            self.ask("release", order, reservation=reservation)
        self.ask("refund", order, payment=payment)

    def tamper(self, sql: str) -> None:
        with closing(sqlite3.connect(self.path)) as db:
            db.executescript(sql)

    def verdict(self, *kills: Kill) -> Verdict:
        return judge(read_books(self.path), ORDERS, kills)


@pytest.fixture
def empty_shop(tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(tmp_path / "ledger.db")
    yield shop
    shop.ledger.close()


@pytest.fixture
def shop(empty_shop: Shop) -> Shop:
    """A sound ledger: one order fulfilled, one sold out, one declined, one whose invoice the printer failed at."""
    empty_shop.fulfil(FULFILLED)
    empty_shop.undo(SOLD_OUT)
    empty_shop.undo(DECLINED)
    empty_shop.undo(UNPRINTED, invoice_fault="dropped after the effect")
    return empty_shop


def test_a_sound_ledger_has_no_offences(shop):
    verdict = shop.verdict()

    assert verdict.offences == []
    assert verdict.standings == {Standing.FULFILLED: 1, Standing.UNDONE: 3}
    assert verdict.causes == {Cause.OUT_OF_STOCK: 1, Cause.DECLINED: 1, Cause.PRINTER: 1}
    assert (verdict.charged, verdict.reserved, verdict.invoices) == (3, 4, 2)


def charge_again(shop: Shop) -> None:
    shop.charge(FULFILLED)


def charge_again_and_refund_that(shop: Shop) -> None:
    shop.ask("refund", FULFILLED, payment=shop.charge(FULFILLED))


def reserve_and_forget(shop: Shop) -> None:
    shop.ask("reserve", SOLD_OUT, sku="pen", quantity=2)


def print_again(shop: Shop) -> None:
    shop.ask("invoice", FULFILLED)


def ask_the_printer_again(shop: Shop) -> None:
    shop.ledger.note_arrival(1, "invoice", FULFILLED.id)


def refund_again(shop: Shop) -> None:
    shop.tamper(
        "INSERT INTO refunds (order_id, charge_id, cents) SELECT order_id, charge_id, cents FROM refunds LIMIT 1"
    )


def never_refund(shop: Shop) -> None:
    shop.tamper("DELETE FROM refunds WHERE order_id = '0002'")


def lose_a_line(shop: Shop) -> None:
    shop.tamper("UPDATE reservations SET state = 'released' WHERE order_id = '0001' AND sku = 'pen'")


def forget_an_order(shop: Shop) -> None:
    for table in ("requests", "charges", "refunds", "reservations", "invoices"):
        shop.tamper(f"DELETE FROM {table} WHERE order_id = '0003'")


def never_hear_of_the_card(shop: Shop) -> None:
    shop.tamper("DELETE FROM charges WHERE order_id = '0003'")


def ship_unpaid_goods(shop: Shop) -> None:
    shop.tamper("UPDATE reservations SET state = 'shipped' WHERE order_id = '0004'")


def ship_without_an_invoice(shop: Shop) -> None:
    shop.tamper("DELETE FROM invoices WHERE order_id = '0001'")


def undo_for_no_reason(shop: Shop) -> None:
    shop.tamper("UPDATE requests SET fault = '' WHERE order_id = '0004'")


def charge_too_much(shop: Shop) -> None:
    shop.tamper("UPDATE charges SET cents = cents + 1 WHERE order_id = '0001'")


def refund_too_little(shop: Shop) -> None:
    shop.tamper("UPDATE refunds SET cents = cents - 1 WHERE order_id = '0002'")


def lose_stock(shop: Shop) -> None:
    shop.tamper("UPDATE stock SET free = free - 1 WHERE sku = 'book'")


def serve_a_stranger(shop: Shop) -> None:
    shop.fulfil(Order("9999", "card-9", {"pen": 1}, 1_00, 1.0))


PLANTED: list[tuple[Callable[[Shop], None], Promise, str]] = [
    (charge_again, Promise.CHARGED_ONCE, "order 0001: charged 2 times"),
    (charge_again_and_refund_that, Promise.CHARGED_ONCE, "order 0001: charged 2 times"),
    (reserve_and_forget, Promise.NOT_HELD, "order 0002: 2 pen still reserved"),
    (print_again, Promise.AT_MOST_ONCE, "order 0001: its invoice was printed 2 times"),
    (ask_the_printer_again, Promise.AT_MOST_ONCE, "order 0001: the printer was asked 2 times"),
    (refund_again, Promise.ADDS_UP, "order 0002: refunded 2 times"),
    (never_refund, Promise.SETTLED, "order 0002: stuck: paid, but neither fulfilled nor refunded"),
    (lose_a_line, Promise.SETTLED, "order 0001: stuck: paid, but neither fulfilled nor refunded"),
    (forget_an_order, Promise.SETTLED, "order 0003: lost"),
    (never_hear_of_the_card, Promise.SETTLED, "order 0003: stuck: neither paid nor declined"),
    (ship_unpaid_goods, Promise.SETTLED, "order 0004: shipped, but not paid"),
    (ship_without_an_invoice, Promise.ADDS_UP, "order 0001: shipped without an invoice"),
    (undo_for_no_reason, Promise.ADDS_UP, "order 0004: undone, although nothing had gone wrong"),
    (charge_too_much, Promise.ADDS_UP, "order 0001: charged 4201 cents instead of 4200"),
    (refund_too_little, Promise.ADDS_UP, "order 0002: refunded 999 of 1000 cents"),
    (lose_stock, Promise.ADDS_UP, "of 10 book, 7 are free and 2 are held or shipped"),
    (serve_a_stranger, Promise.ADDS_UP, "order 9999: nobody ordered this"),
]


@pytest.mark.parametrize(("plant", "promise", "text"), PLANTED, ids=[plant.__name__ for plant, _, _ in PLANTED])
def test_a_planted_fault_is_found(shop, plant, promise, text):
    plant(shop)

    offences = shop.verdict().offences
    assert any(offence.promise is promise and str(offence).startswith(text) for offence in offences), offences


def test_an_attempt_lost_to_a_kill_is_a_reason_to_undo(shop):
    undo_for_no_reason(shop)
    requests = read_books(shop.path).orders[UNPRINTED.id].requests

    verdict = shop.verdict(Kill(0, requests[0].arrived_ns + 1))

    assert verdict.offences == []
    assert verdict.causes[Cause.KILL] == 1


def test_a_kill_is_measured_to_the_first_request_of_a_later_engine_for_an_order_under_way(shop):
    shop.tamper("DELETE FROM requests")
    rows = "(100, 1, 'ship', '0001'), (150, 1, 'ship', '0002'), (300, 2, 'ship', '0003'), "
    rows += "(350, 1, 'ship', '0001'), (700, 2, 'ship', '0002')"
    shop.tamper(f"INSERT INTO requests (arrived_ns, engine, action, order_id) VALUES {rows}")

    resumed, unresumed = shop.verdict(Kill(1, 200), Kill(2, 800)).resumed_seconds

    # Not 300, which begins a new order, nor 350, which the killed process had sent.
    assert resumed == pytest.approx(500e-9)
    assert unresumed is None
    offences = shop.verdict(Kill(1, 200), Kill(2, 800)).offences
    assert [str(offence) for offence in offences if offence.promise is Promise.RESUMED] == [
        "no step was resumed after kill 2"
    ]


def test_an_order_goes_through_its_standings(empty_shop):
    shop, order = empty_shop, FULFILLED
    seen = [standing_of(order, OrderBooks())]

    def look() -> None:
        seen.append(standing_of(order, read_books(shop.path).orders[order.id]))

    shop.ledger.note_arrival(1, "charge", order.id)
    look()
    shop.charge(order)
    look()
    held = shop.reserve(order)
    look()
    shop.ask("invoice", order)
    look()
    shop.ask("ship", order, reservation=held[0])
    look()
    shop.ask("ship", order, reservation=held[1])
    look()

    assert seen == [
        Standing.UNSEEN,
        Standing.PAYING,
        Standing.RESERVING,
        Standing.RESERVING,
        Standing.SHIPPING,
        Standing.SHIPPING,
        Standing.FULFILLED,
    ]
