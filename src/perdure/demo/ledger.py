"""The service's ledger: what it does to its books, and the books as somebody else reads them.

``Ledger`` writes and belongs to the service. ``read_books`` gives a frozen copy to the live view and to the judge,
through a connection that cannot write.
"""

import json
import sqlite3
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, NamedTuple

from perdure.demo.scenario import DECLINED_CARD

Body = dict[str, Any]
ReservationState = Literal["refused", "held", "released", "shipped"]


class Answer(NamedTuple):
    """An HTTP status and what comes with it."""

    status: int
    body: Body


class Charge(NamedTuple):
    id: int
    order_id: str
    cents: int
    accepted: bool


class Refund(NamedTuple):
    id: int
    order_id: str
    charge_id: int
    cents: int


class Reservation(NamedTuple):
    id: int
    order_id: str
    sku: str
    quantity: int
    state: ReservationState


class Request(NamedTuple):
    """One request that arrived. ``engine`` is the number of the engine process that sent it."""

    arrived_ns: int
    engine: int
    action: str
    order_id: str
    status: int | None
    fault: str
    is_repeat: bool


class Stock(NamedTuple):
    sku: str
    initial: int
    free: int


# --- writing


class Ledger:
    """The books, open for writing. Every method is one transaction, and safe to call from any thread."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        # Nobody kills the service, so its books need not wait for the disk.
        self._db.execute("PRAGMA synchronous = OFF")
        if not self._db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'requests'").fetchone():
            self._db.executescript(files("perdure.demo").joinpath("schema.sql").read_text())

    def close(self) -> None:
        """Close the books."""
        with self._lock:
            self._db.close()

    def put_in_stock(self, stock: Mapping[str, int]) -> None:
        """Begin with these quantities by sku."""
        self._do("INSERT INTO stock (sku, initial, free) VALUES (?, ?, ?)", [(sku, n, n) for sku, n in stock.items()])

    def note_arrival(self, engine: int, action: str, order_id: str) -> int:
        """Write down that a request arrived, now; its number."""
        with self._lock:
            row = self._db.execute(
                "INSERT INTO requests (arrived_ns, engine, action, order_id) VALUES (?, ?, ?, ?) RETURNING id",
                (time.monotonic_ns(), engine, action, order_id),
            ).fetchone()
        return int(row[0])

    def note_end(self, request_id: int, status: int | None, fault: str, is_repeat: bool) -> None:
        """Write down how a request ended; ``status`` None when nothing was answered."""
        self._do(
            "UPDATE requests SET ended_ns = ?, status = ?, fault = ?, is_repeat = ? WHERE id = ?",
            [(time.monotonic_ns(), status, fault, is_repeat, request_id)],
        )

    def once(self, key: str, effect: Callable[[sqlite3.Connection], Answer]) -> tuple[Answer, bool]:
        """Carry out an effect, unless this key has had its answer; the answer, and whether it was a repeat.

        An empty key is no key: the effect happens each time.
        """
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                known = self._db.execute("SELECT status, body FROM answers WHERE key = ?", (key,)).fetchone()
                if known is not None:
                    answer = Answer(known[0], json.loads(known[1]))
                else:
                    answer = effect(self._db)
                    if key:
                        self._db.execute(
                            "INSERT INTO answers VALUES (?, ?, ?)", (key, answer.status, json.dumps(answer.body))
                        )
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
        return answer, known is not None

    def _do(self, sql: str, rows: list[tuple[Any, ...]]) -> None:
        with self._lock:
            self._db.executemany(sql, rows)


def charge(db: sqlite3.Connection, order_id: str, body: Body) -> Answer:
    """Take money from a card."""
    accepted = body["card"] != DECLINED_CARD
    row = db.execute(
        "INSERT INTO charges (order_id, cents, accepted) VALUES (?, ?, ?) RETURNING id",
        (order_id, body["cents"], accepted),
    ).fetchone()
    return Answer(201, {"payment": row[0]}) if accepted else Answer(402, {"error": f"{body['card']} was declined"})


def refund(db: sqlite3.Connection, order_id: str, body: Body) -> Answer:
    """Give back what a charge took."""
    row = db.execute("SELECT cents FROM charges WHERE id = ? AND accepted", (body["payment"],)).fetchone()
    if row is None:
        return Answer(404, {"error": f"no payment {body['payment']}"})
    db.execute("INSERT INTO refunds (order_id, charge_id, cents) VALUES (?, ?, ?)", (order_id, body["payment"], row[0]))
    return Answer(201, {})


def reserve(db: sqlite3.Connection, order_id: str, body: Body) -> Answer:
    """Set goods aside."""
    sku, quantity = body["sku"], body["quantity"]
    taken = db.execute(
        "UPDATE stock SET free = free - ? WHERE sku = ? AND free >= ?", (quantity, sku, quantity)
    ).rowcount
    row = db.execute(
        "INSERT INTO reservations (order_id, sku, quantity, state) VALUES (?, ?, ?, ?) RETURNING id",
        (order_id, sku, quantity, "held" if taken else "refused"),
    ).fetchone()
    return Answer(201, {"reservation": row[0]}) if taken else Answer(409, {"error": f"{sku} is out of stock"})


def release(db: sqlite3.Connection, order_id: str, body: Body) -> Answer:
    """Put reserved goods back."""
    row = db.execute(
        "UPDATE reservations SET state = 'released' WHERE id = ? AND state = 'held' RETURNING sku, quantity",
        (body["reservation"],),
    ).fetchone()
    if row is None:
        return Answer(409, {"error": f"reservation {body['reservation']} is not held"})
    db.execute("UPDATE stock SET free = free + ? WHERE sku = ?", (row[1], row[0]))
    return Answer(201, {})


def ship(db: sqlite3.Connection, order_id: str, body: Body) -> Answer:
    """Send reserved goods off."""
    row = db.execute(
        "UPDATE reservations SET state = 'shipped' WHERE id = ? AND state = 'held' RETURNING id", (body["reservation"],)
    ).fetchone()
    if row is None:
        return Answer(409, {"error": f"reservation {body['reservation']} is not held"})
    return Answer(201, {"tracking": f"track-{row[0]}"})


def print_invoice(db: sqlite3.Connection, order_id: str, body: Body) -> Answer:
    """Print a sheet. Whoever asks twice gets two."""
    db.execute("INSERT INTO invoices (order_id) VALUES (?)", (order_id,))
    return Answer(201, {})


Effect = Callable[[sqlite3.Connection, str, Body], Answer]

ACTIONS: dict[str, Effect] = {
    "charge": charge,
    "refund": refund,
    "reserve": reserve,
    "release": release,
    "ship": ship,
    "invoice": print_invoice,
}


# --- reading


@dataclass(frozen=True)
class OrderBooks:
    """All that the ledger has about one order."""

    charges: list[Charge] = field(default_factory=list)
    refunds: list[Refund] = field(default_factory=list)
    reservations: list[Reservation] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    invoices: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Books:
    """The whole ledger at one moment. ``requests`` are in the order of their arrival."""

    orders: Mapping[str, OrderBooks]
    requests: list[Request]
    stock: list[Stock]


def read_books(path: Path) -> Books:
    """A consistent copy of the ledger. Raises ``sqlite3.Error`` when there is none."""
    db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
    try:
        db.execute("BEGIN")
        charges = [Charge(*row) for row in db.execute("SELECT id, order_id, cents, accepted FROM charges")]
        refunds = [Refund(*row) for row in db.execute("SELECT id, order_id, charge_id, cents FROM refunds")]
        reservations = [
            Reservation(*row) for row in db.execute("SELECT id, order_id, sku, quantity, state FROM reservations")
        ]
        invoices = db.execute("SELECT id, order_id FROM invoices").fetchall()
        requests = [
            Request(*row)
            for row in db.execute(
                "SELECT arrived_ns, engine, action, order_id, status, fault, is_repeat FROM requests ORDER BY id"
            )
        ]
        stock = [Stock(*row) for row in db.execute("SELECT sku, initial, free FROM stock")]
    finally:
        db.close()
    orders: dict[str, OrderBooks] = defaultdict(OrderBooks)
    for charge in charges:
        orders[charge.order_id].charges.append(charge)
    for refund in refunds:
        orders[refund.order_id].refunds.append(refund)
    for reservation in reservations:
        orders[reservation.order_id].reservations.append(reservation)
    for request in requests:
        orders[request.order_id].requests.append(request)
    for number, order_id in invoices:
        orders[order_id].invoices.append(number)
    return Books(dict(orders), requests, stock)
