"""The engine's own workflows: what every engine serves besides the apps of its users."""

from collections.abc import Callable

from perdure.model.service import Service
from perdure.sdk.app import App
from perdure.sdk.batches import batch_app
from perdure.sdk.schedules import schedule_app


def own_apps(service: Callable[[], Service]) -> list[App]:
    """All of them. ``service`` gives the engine, once it is there."""
    return [schedule_app(service), batch_app(service)]
