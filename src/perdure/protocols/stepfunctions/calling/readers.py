"""What a distributed Map's ItemReader reads: texts, wherever they lie."""

import gzip
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

from perdure.protocols.stepfunctions.calling.failures import TaskFailed

MANIFEST = "MANIFEST"

GetObject = Callable[[str, str], Awaitable[bytes]]
"""Gets an object of a bucket by its key."""


def text_of(answer: Any) -> Any:
    """An answer with the text of what was read as its ``Body``."""
    if isinstance(answer, dict) and "Body" not in answer and "ResponseBody" in answer:
        body = answer["ResponseBody"]
        return {"Body": body if isinstance(body, str) else json.dumps(body)}
    return answer


async def listed(answer: Any, next_page: Callable[[str], Awaitable[Any]], most: int) -> Any:
    """All objects of a listing, as AWS's Map has them; ``most`` are enough, if it is not 0."""
    found: list[Any] = []
    while isinstance(answer, dict):
        found += [_object(one) for one in answer.get("Contents") or []]
        token = answer.get("NextContinuationToken")
        if not token or 0 < most <= len(found):
            return {"Contents": found}
        answer = await next_page(token)
    return answer


def _object(shown: dict[str, Any]) -> dict[str, Any]:
    """An object of a listing: its members have other names there than in the call, and its time is in seconds.
    Source: https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itemreader.html"""
    found = {("Etag" if name == "ETag" else name): value for name, value in shown.items()}
    if isinstance(found.get("LastModified"), str):
        found["LastModified"] = int(datetime.fromisoformat(found["LastModified"]).timestamp())
    return found


async def parts_of(answer: Mapping[str, Any], get: GetObject) -> dict[str, Any]:
    """A manifest of S3's inventory, with the texts of the files that it names. Raises ``TaskFailed``."""
    text = answer.get("Body", "")
    try:
        manifest = json.loads(text)
        bucket = str(manifest["destinationBucket"]).rpartition(":")[2]
        keys = [str(file["key"]) for file in manifest["files"]]
    except (ValueError, KeyError, TypeError) as error:
        raise TaskFailed("States.ItemReaderFailed", f"The manifest can't be read: {error!r}") from None
    parts = []
    for key in keys:
        data = await get(bucket, key)
        try:
            parts.append((gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode())
        except (OSError, EOFError, UnicodeDecodeError) as error:
            raise TaskFailed("States.ItemReaderFailed", f"The file {key!r} can't be read: {error}") from None
    return {"Body": text, "Parts": parts}
