"""What came of telling all of a language's stories to one server, as facts that can be kept and compared."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import Client
from temporalio.service import RPCError
from tests.protocols.temporal.digest import plain
from tests.protocols.temporal.histories import gather
from tests.protocols.temporal.programs import tell

RECORDED = Path(__file__).parent / "recorded"
ATTRIBUTES = {
    "StoryKeyword": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    "StoryInt": IndexedValueType.INDEXED_VALUE_TYPE_INT,
    "StoryKeywords": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD_LIST,
    "StoryText": IndexedValueType.INDEXED_VALUE_TYPE_TEXT,
    "StoryDouble": IndexedValueType.INDEXED_VALUE_TYPE_DOUBLE,
    "StoryBool": IndexedValueType.INDEXED_VALUE_TYPE_BOOL,
    "StoryDatetime": IndexedValueType.INDEXED_VALUE_TYPE_DATETIME,
}


@dataclass(frozen=True)
class Outcome:
    """Of one story: its result, and what its histories say, by workflow id and number of the run."""

    result: Any
    histories: dict[str, list[str]]

    def text(self) -> str:
        """As it is kept."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"


def recorded(language: str) -> dict[str, Outcome]:
    """What was recorded from Temporal's own server, by story."""
    return {
        file.stem: Outcome(**json.loads(file.read_text("utf-8")))
        for file in sorted((RECORDED / language).glob("*.json"))
    }


async def prepare(address: str) -> Client:
    """Connect, and register the search attributes that stories use."""
    client = await Client.connect(address)
    try:
        await client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(namespace=client.namespace, search_attributes=ATTRIBUTES)
        )
    except RPCError as error:
        if "already exist" not in error.message:
            raise
    return client


async def outcomes(
    language: str, address: str, stories: Sequence[str] = (), *, options: Sequence[str] = (), keep: Path | None = None
) -> dict[str, Outcome | str]:
    """Tell stories to a server: the outcome of each, or in words what went wrong. Histories are kept in a folder."""
    client = await prepare(address)
    found: dict[str, Outcome | str] = {}
    for name, line in (await tell(language, address, stories, options=options)).items():
        if line.error:
            found[name] = line.error
            continue
        try:
            told = await gather(client, line.runs, follow=line.follow)
        except Exception as error:  # whatever the server under test answers, the other stories are still to be judged
            found[name] = f"its histories: {type(error).__name__}: {error}"
        else:
            found[name] = Outcome(plain(line.result), told.digests())
            if keep is not None:
                told.write(keep / name)
    return found
