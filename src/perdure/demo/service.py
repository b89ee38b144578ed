"""The other side: payment, stock, printer and shipping behind plain HTTP. Runs as ``python -m perdure.demo.service``.

It is slow, and it fails in all the ways that services fail: before it did what was asked, after it did, by closing the
connection, by answering when nobody listens any more. Like many payment services it takes an ``Idempotency-Key`` and
gives a repeat the first answer. The printer does not: it prints whenever it is asked.
"""

import argparse
import contextlib
import json
import random
import sys
import threading
import time
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from perdure.demo.ledger import ACTIONS, Answer, Ledger
from perdure.demo.scenario import PATIENCE_SECONDS, draw_orders, draw_stock

MEAN_LATENCY_SECONDS = 0.35
LONGEST_LATENCY_SECONDS = 1.5
STALL_SECONDS = PATIENCE_SECONDS + 1.0


class Fault(StrEnum):
    """What goes wrong with a request. All but the first two happen after the effect."""

    FAILED_BEFORE = "failed before the effect"
    DROPPED_BEFORE = "dropped before the effect"
    FAILED_AFTER = "failed after the effect"
    DROPPED_AFTER = "dropped after the effect"
    STALLED = "answered too late"


FAULT_SHARES = {
    Fault.FAILED_BEFORE: 0.06,
    Fault.DROPPED_BEFORE: 0.02,
    Fault.FAILED_AFTER: 0.05,
    Fault.DROPPED_AFTER: 0.02,
    Fault.STALLED: 0.01,
}
PRINTER_FAULT_SHARES = {Fault.FAILED_BEFORE: 0.015, Fault.DROPPED_AFTER: 0.015}


class Weather:
    """Draws what happens to each request, from a seed."""

    def __init__(self, seed: int) -> None:
        self._lock = threading.Lock()
        self._chance = random.Random(f"weather {seed}")

    def draw(self, action: str) -> tuple[float, Fault | None]:
        """How many seconds the next request takes, and its fault."""
        shares = PRINTER_FAULT_SHARES if action == "invoice" else FAULT_SHARES
        with self._lock:
            seconds = min(self._chance.expovariate(1 / MEAN_LATENCY_SECONDS), LONGEST_LATENCY_SECONDS)
            faults: list[Fault | None] = [*shares, None]
            [fault] = self._chance.choices(faults, [*shares.values(), 1 - sum(shares.values())])
        return seconds, fault


class Service(ThreadingHTTPServer):
    """The HTTP server on a free port of the loopback interface."""

    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, ledger: Ledger, weather: Weather) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.ledger = ledger
        self.weather = weather

    def handle_error(self, request: object, client_address: object) -> None:
        """A caller that is gone is no news; everything else is."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class Handler(BaseHTTPRequestHandler):
    """One request: ``POST /<action>`` with the order and the action's arguments as JSON."""

    server: Service

    def do_POST(self) -> None:
        action = self.path.lstrip("/")
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        effect = ACTIONS.get(action)
        if effect is None:
            self._answer(Answer(404, {"error": f"there is no action {action!r}"}))
            return
        order_id, ledger = body["order"], self.server.ledger
        request_id = ledger.note_arrival(int(self.headers["X-Engine"]), action, order_id)
        seconds, fault = self.server.weather.draw(action)
        time.sleep(seconds)
        answer, is_repeat = Answer(503, {"error": "try again later"}), False
        if fault not in (Fault.FAILED_BEFORE, Fault.DROPPED_BEFORE):
            key = self.headers.get("Idempotency-Key", "")
            answer, is_repeat = ledger.once(f"{action} {key}" if key else "", lambda db: effect(db, order_id, body))
        if fault is Fault.FAILED_AFTER:
            answer = Answer(500, {"error": "something went wrong"})
        is_dropped = fault in (Fault.DROPPED_BEFORE, Fault.DROPPED_AFTER)
        ledger.note_end(request_id, None if is_dropped else answer.status, fault or "", is_repeat)
        if fault is Fault.STALLED:
            time.sleep(STALL_SECONDS)
        if not is_dropped:
            self._answer(answer)

    def _answer(self, answer: Answer) -> None:
        data = json.dumps(answer.body).encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the ledger has it all."""


def main() -> None:
    """Serve until standard input ends, which it does when the process that started this one is gone."""
    parser = argparse.ArgumentParser(prog="python -m perdure.demo.service")
    parser.add_argument("--ledger", type=Path, required=True)
    parser.add_argument("--address", type=Path, required=True, help="a file that gets the URL")
    parser.add_argument("--orders", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    options = parser.parse_args()
    ledger = Ledger(options.ledger)
    ledger.put_in_stock(draw_stock(draw_orders(options.orders, options.seed)))
    with Service(ledger, Weather(options.seed)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        # Written elsewhere first, so that whoever waits for the file never reads half of it.
        draft = options.address.with_suffix(".draft")
        draft.write_text(f"http://127.0.0.1:{server.server_port}")
        draft.replace(options.address)
        with contextlib.suppress(KeyboardInterrupt):
            sys.stdin.read()
        server.shutdown()
    ledger.close()


if __name__ == "__main__":
    main()
