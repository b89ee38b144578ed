"""Map runs: the children of a distributed Map state, counted and looked at."""

from perdure.protocols.stepfunctions.operations import Operations

operations = Operations()
