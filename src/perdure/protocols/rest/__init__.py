"""REST: every operation of the client in plain JSON over HTTP, described by OpenAPI 3.1.

``operations`` is the table that everything is made from: one module for each noun adds its rows. ``endpoint`` takes a request
through: admit, read, handle, write. ``values`` says how payloads look, ``records`` and ``views`` how everything else does,
``problems`` how errors do. ``application`` puts it together, ``listening`` gives it a socket.
"""

from perdure.protocols.rest.application import OPERATIONS, create_app
from perdure.protocols.rest.listening import RestServer
from perdure.protocols.rest.parts import Bounds, Parts

__all__ = ["OPERATIONS", "Bounds", "Parts", "RestServer", "create_app"]
