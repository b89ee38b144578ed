"""Reading a request's body, within bounds of size and time."""

import asyncio

from starlette.requests import Request

from perdure.protocols.stepfunctions.operations import Gone
from perdure.protocols.stepfunctions.parts import Bounds
from perdure.protocols.stepfunctions.refusals import Refusal


async def read_body(request: Request, bounds: Bounds) -> bytes:
    """The whole body. Raises ``Refusal`` if it is too large or too slow, ``Gone`` if the caller has hung up."""
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(bounds.body_seconds):
            while True:
                message = await request.receive()
                if message["type"] == "http.disconnect":
                    raise Gone
                chunks.append(message.get("body", b""))
                size += len(chunks[-1])
                if size > bounds.body_bytes:
                    raise Refusal("RequestEntityTooLarge", f"A request has at most {bounds.body_bytes:,} bytes.", 413)
                if not message.get("more_body", False):
                    return b"".join(chunks)
    except TimeoutError:
        raise Refusal("RequestTimeout", f"The body did not arrive within {bounds.body_seconds:g} s.", 408) from None
