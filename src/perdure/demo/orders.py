"""The order saga: pay, reserve, pack, print the invoice, ship; or undo everything done so far.

This is all there is of the program that survives the kills. It has no line about crashes.
"""

import asyncio
import http.client
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from perdure import ActivityError, App, Retry, activity, workflow
from perdure.demo.scenario import PATIENCE_SECONDS, Order

app = App("demo-orders")


class ServiceUnavailable(Exception):
    """The service failed, or there was no answer. Whether it did what was asked is not known."""


class Refused(Exception):
    """The service said no."""


UNTIL_DONE = Retry(initial=0.1, backoff=1.5, maximum=1.0, non_retryable=(Refused,))
PRINTER_PATIENCE_SECONDS = 60.0


@app.activity(retry=UNTIL_DONE)
def charge(order: Order) -> int:
    return int(service.ask("charge", order.id, card=order.card, cents=order.total_cents)["payment"])


@app.activity(retry=UNTIL_DONE)
def refund(order_id: str, payment: int) -> None:
    service.ask("refund", order_id, payment=payment)


@app.activity(retry=UNTIL_DONE)
def reserve(order_id: str, sku: str, quantity: int) -> int:
    return int(service.ask("reserve", order_id, sku=sku, quantity=quantity)["reservation"])


@app.activity(retry=UNTIL_DONE)
def release(order_id: str, reservation: int) -> None:
    service.ask("release", order_id, reservation=reservation)


@app.activity(retry=Retry(max_attempts=1))
def print_invoice(order_id: str) -> None:
    """The printer cannot tell a repeat, so this is tried once, and never again even if the only attempt is lost."""
    service.ask("invoice", order_id, patience_seconds=PRINTER_PATIENCE_SECONDS)


@app.activity(retry=UNTIL_DONE)
def ship(order_id: str, reservation: int) -> str:
    return str(service.ask("ship", order_id, reservation=reservation)["tracking"])


@app.workflow
async def fulfil(order: Order) -> str:
    try:
        async with workflow.saga() as saga:
            payment = await charge(order)
            saga.compensate(refund, order.id, payment)

            # When one is refused, the others are still waited for: only what is known to be held can be released.
            lines = [reserve(order.id, sku, quantity) for sku, quantity in order.lines.items()]
            outcomes = await asyncio.gather(*lines, return_exceptions=True)
            held = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
            for reservation in held:
                saga.compensate(release, order.id, reservation)
            for outcome in outcomes:
                if isinstance(outcome, BaseException):
                    raise outcome

            await asyncio.sleep(order.packing_seconds)  # durable: whatever is killed meanwhile, it ends when it is due
            await print_invoice(order.id)
    except ActivityError as error:
        return f"undone: {error.cause}"
    # From here there is no way back, only forward: shipping is tried until it is done.
    await asyncio.gather(*(ship(order.id, reservation) for reservation in held))
    return "fulfilled"


class ServiceClient:
    """Calls the service. Told once, by its process, where that is and which of the processes that are killed this is."""

    def __init__(self) -> None:
        self.address = ""
        self._number: Callable[[], int] = lambda: 0

    def connect(self, url: str, number: Callable[[], int]) -> None:
        """Use the service at ``url``, in the name of process ``number``, which is asked for each request."""
        self.address = urlsplit(url).netloc
        self._number = number

    def ask(
        self, action: str, order_id: str, *, patience_seconds: float = PATIENCE_SECONDS, **arguments: Any
    ) -> dict[str, Any]:
        """Do one thing for an order, under the activity's idempotency key.

        Raises ``ServiceUnavailable`` or ``Refused``.
        """
        connection = http.client.HTTPConnection(self.address, timeout=patience_seconds)
        headers = {"X-Engine": str(self._number()), "Content-Type": "application/json"}
        if action != "invoice":
            headers["Idempotency-Key"] = activity.info().idempotency_key
        try:
            connection.request("POST", f"/{action}", json.dumps({"order": order_id, **arguments}), headers)
            response = connection.getresponse()
            body: dict[str, Any] = json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ServiceUnavailable(f"no answer to {action}: {error!r}") from error
        finally:
            connection.close()
        if response.status >= 500:
            raise ServiceUnavailable(f"{action}: {response.status} {body.get('error', '')}")
        if response.status >= 400:
            raise Refused(f"{action}: {body.get('error', '')}")
        return body


service = ServiceClient()
