"""Batches: one thing done to all runs that a filter names.

A batch is a run itself, of the workflow ``perdure.batch`` in the namespace ``perdure.system``. So it survives crashes,
can be paused, resumed and stopped like any run, and keeps a record of what it did. ``definition`` says what a batch is,
``program`` is the workflow, ``acting`` does things to runs, ``client`` is what users call.
"""

from perdure.sdk.batches.client import BatchDescription, Batches, BatchHandle
from perdure.sdk.batches.program import batch_app

__all__ = ["BatchDescription", "BatchHandle", "Batches", "batch_app"]
