"""AWS Step Functions' own API: AWS JSON 1.0 over HTTP, for boto3, the AWS command line, and all else that speaks it.

``application`` takes a request through: who signed it (``signatures``), is it as AWS's description of the API says
(``shapes``), then the handler of its operation, one module for each noun. ``registry`` keeps state machines, versions,
aliases and activities. An execution is a run whose workflow id is the execution's ARN; ``standing`` says how it is seen.
What definitions mean is the language's to say, through the port in ``parts``.
"""

from perdure.protocols.stepfunctions.application import create_app

__all__ = ["create_app"]
