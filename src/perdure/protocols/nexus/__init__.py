"""Nexus over HTTP: operations asked of others by their URL, and others' word of how an operation has ended.

The specification is https://github.com/nexus-rpc/api/blob/main/SPEC.md. The room translates and decides nothing: an attempt
comes from ``engine.operations`` like those that workers ask for, and goes back as the same requests.
"""

from perdure.protocols.nexus.calling import Calling
from perdure.protocols.nexus.completions import callback_path, callback_route
from perdure.protocols.nexus.dialect import Dialect, Plain

__all__ = ["Calling", "Dialect", "Plain", "callback_path", "callback_route"]
