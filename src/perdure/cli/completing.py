"""What a shell completes that only a store or a server knows."""

import asyncio

from perdure.cli.finding import summaries
from perdure.cli.sources import Source, look

_MOST = 100
_RECENT = 5_000
_PATIENCE_SECONDS = 2.0


def workflow_ids(place: str | None, server: str, token: str, namespace: str, beginning: str) -> list[str]:
    """Ids of recent workflows that begin so. Raises whatever goes wrong."""

    async def recent(source: Source) -> list[str]:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            found = await summaries(source, namespace, most=_RECENT)
        ids = dict.fromkeys(run.workflow_id for run in found if run.workflow_id.startswith(beginning))
        return list(ids)[:_MOST]

    return look(place, server, token, recent)
