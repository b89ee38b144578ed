"""One state, tried alone: the API's TestState.

A trial gets the request as the API has it, judges it, and takes the state through its steps as `state_data` does in a
run, noting what the data is after each. Where the state is a Task without a mock, it stops at the call, which is for
others to make, and goes on with what comes of it.
"""

from perdure.languages.asl.trials.requests import About, TrialRefused
from perdure.languages.asl.trials.trial import TaskCall, Trial

__all__ = ["About", "TaskCall", "Trial", "TrialRefused"]
