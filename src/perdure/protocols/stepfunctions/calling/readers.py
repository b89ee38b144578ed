"""What a distributed Map's ItemReader reads: texts, wherever they lie, or rows.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itemreader.html
"""

import asyncio
import gzip
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from perdure.protocols.stepfunctions.calling import parquet
from perdure.protocols.stepfunctions.calling.failures import TaskFailed

MANIFEST, PARQUET = "MANIFEST", "PARQUET"
INVENTORY, ATHENA = "S3_INVENTORY", "ATHENA_DATA"
FLATTEN = "LOAD_AND_FLATTEN"
FAILED = "States.ItemReaderFailed"

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
    """An object of a listing: its members have other names there than in the call, and its time is in seconds."""
    found = {("Etag" if name == "ETag" else name): value for name, value in shown.items()}
    if isinstance(found.get("LastModified"), str):
        found["LastModified"] = int(datetime.fromisoformat(found["LastModified"]).timestamp())
    return found


def manifest_type(config: Mapping[str, Any]) -> str:
    """What a file that names others is: ``S3_INVENTORY``, ``ATHENA_DATA``, or none if the file has the items itself."""
    return str(config.get("ManifestType") or (INVENTORY if config.get("InputType") == MANIFEST else ""))


async def inventory(answer: Any, get: GetObject, most: int) -> Any:
    """What a manifest of S3's inventory names: its rows, or the manifest with the texts of its files. Raises ``TaskFailed``."""
    text = answer.get("Body", "") if isinstance(answer, Mapping) else ""
    try:
        manifest = json.loads(text)
        bucket = str(manifest["destinationBucket"]).rpartition(":")[2]
        keys = [str(file["key"]) for file in manifest["files"]]
        kind = str(manifest.get("fileFormat", "CSV"))
    except (ValueError, KeyError, TypeError) as error:
        raise TaskFailed(FAILED, f"The manifest can't be read: {error!r}") from None
    if kind not in ("CSV", "Parquet"):
        raise TaskFailed(FAILED, f"The inventory's files are {kind}: only CSV and Parquet are read.")
    found = await loaded([(bucket, key) for key in keys], kind.upper(), get, most)
    return {**found, "Body": text} if isinstance(found, dict) else found


def athena_files(answer: Any) -> list[tuple[str, str]]:
    """The files that a manifest of Athena's data names: a URI on each line. Raises ``TaskFailed``."""
    text = answer.get("Body", "") if isinstance(answer, Mapping) else ""
    found = []
    for line in filter(None, map(str.strip, str(text).splitlines())):
        bucket, _, key = line.strip('"').removeprefix("s3://").partition("/")
        if not line.strip('"').startswith("s3://") or not key:
            raise TaskFailed(FAILED, f"The manifest can't be read: {line!r:.200} is no URI of an object of S3.")
        found.append((bucket, key))
    return found


async def loaded(files: Sequence[tuple[str, str]], kind: str, get: GetObject, most: int) -> Any:
    """The data of some files: the rows of Parquet files, else their texts. Raises ``TaskFailed``.

    Args:
        files: buckets and keys.
        kind: what they are, as InputType says it.
        get: gets them.
        most: enough items; 0 for all.
    """
    rows: list[Any] = []
    parts: list[str] = []
    for bucket, key in files:
        data = await get(bucket, key)
        if kind == PARQUET:
            rows += await asyncio.to_thread(parquet.rows, data, key, most - len(rows) if most else 0)
            if 0 < most <= len(rows):
                break
        else:
            parts.append(_text(data, key))
    return rows if kind == PARQUET else {"Parts": parts}


def _text(data: bytes, key: str) -> str:
    try:
        return (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise TaskFailed(FAILED, f"The file {key!r} can't be read: {error}") from None
