"""Rows of Parquet files, as JSON has them. pyarrow reads them; it is large, so it is an extra, and loaded when it is needed."""

import base64
import datetime
import io
from decimal import Decimal
from typing import Any

from perdure.protocols.stepfunctions.calling.failures import TaskFailed

FAILED = "States.ItemReaderFailed"
BATCH_ROWS = 10_000


def rows(data: bytes, name: str, most: int) -> list[Any]:
    """The rows of a file, each an object.

    Args:
        data: the file.
        name: of the file, for messages.
        most: enough rows; 0 for all.

    Raises:
        TaskFailed: it is no such file, or nobody here can read any.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise TaskFailed(
            FAILED, "Parquet files are read with pyarrow, which is not installed here: pip install 'perdure[parquet]'"
        ) from None
    found: list[Any] = []
    try:
        file = pyarrow.parquet.ParquetFile(io.BytesIO(data))
        for batch in file.iter_batches(batch_size=min(most, BATCH_ROWS) if most else BATCH_ROWS):
            found += map(as_json, batch.to_pylist())
            if 0 < most <= len(found):
                return found[:most]
    except (pyarrow.ArrowException, OSError) as error:
        raise TaskFailed(FAILED, f"The file {name!r} can't be read as Parquet: {error}") from None
    return found


def as_json(value: Any) -> Any:
    """A value of a row: times are ISO 8601, decimals numbers, bytes text or, where they are none, Base64."""
    match value:
        case dict():
            return {str(name): as_json(inner) for name, inner in value.items()}
        case list() | tuple():
            return [as_json(inner) for inner in value]
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case datetime.datetime() | datetime.date() | datetime.time():
            return value.isoformat()
        case datetime.timedelta():
            return value.total_seconds()
        case bytes():
            try:
                return value.decode()
            except UnicodeDecodeError:
                return base64.b64encode(value).decode()
        case float() if value != value or value in (float("inf"), float("-inf")):
            return None
        case None | bool() | int() | float() | str():
            return value
        case _:
            return str(value)
