"""Doing something to one run, and saying in words that help when there is none."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from perdure.cli.finding import find
from perdure.cli.output import Output, note
from perdure.cli.sources import ask
from perdure.cli.values import jsonable
from perdure.model.errors import NotFoundError
from perdure.model.ids import RunAddress
from perdure.model.payloads import Payloads
from perdure.model.requests import OutsideRequest
from perdure.model.service import Service

T = TypeVar("T")


async def act(
    service: Service, namespace: str, workflow_id: str, run_id: str, action: Callable[[RunAddress], Awaitable[T]]
) -> T:
    """Do it to the run that the arguments mean; without ``run_id``, to the current one of the workflow.

    Raises ``NotFoundError``, naming what comes close, and whatever the action raises.
    """
    if run_id:
        return await action(await find(service, namespace, workflow_id, run_id))
    try:
        return await action(RunAddress(namespace, workflow_id))
    except NotFoundError:
        await find(service, namespace, workflow_id)
        raise


def send(
    place: str | None,
    server: str,
    token: str,
    namespace: str,
    workflow_id: str,
    run_id: str,
    request: OutsideRequest,
    done: str,
) -> None:
    """Send a request to the run that the arguments mean, as ``act`` finds it; then say what is ``done``."""
    ask(
        place,
        server,
        token,
        lambda service: act(service, namespace, workflow_id, run_id, lambda address: service.request(address, request)),
    )
    note(done)


def print_answer(payloads: Payloads) -> None:
    """The one value of an answer, as JSON with every digit; null where there is none. What is no JSON is shown with its
    encoding, as everywhere."""
    shown = jsonable(payloads[0]) if payloads else {"value": None}
    Output().json(shown.get("value", shown) if "base64" not in shown else shown)
