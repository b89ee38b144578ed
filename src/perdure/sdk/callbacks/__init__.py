"""Callbacks: somebody elsewhere is told when a run closes.

For each run that was started with callbacks there is a run of the workflow ``perdure.callback`` in the namespace
``perdure.system``, which the engine signals when the other one closes for good. So deliveries are retried, survive
crashes, and can be seen and stopped like any run. ``definition`` says what is stored, ``program`` is the workflow; whoever
makes the app says how a message is delivered.
"""

from perdure.sdk.callbacks.definition import CALLBACK, CLOSED_SIGNAL, Delivery, Order, Target, request_of
from perdure.sdk.callbacks.program import callback_app

__all__ = ["CALLBACK", "CLOSED_SIGNAL", "Delivery", "Order", "Target", "callback_app", "request_of"]
