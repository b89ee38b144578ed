"""``perdure server start-dev`` takes what SDKs' test harnesses say to Temporal's development server."""

import asyncio
import sys
from pathlib import Path

import pytest
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.client import Client

from perdure.app.temporal import attribute_of
from perdure.model.errors import InvalidArgumentError
from perdure.model.search import AttributeType

# As the SDKs' core writes them.
HARNESS = [
    *("--namespace", "shop", "--ip", "127.0.0.1", "--log-level", "warn", "--log-format", "pretty", "--headless"),
    *("--search-attribute", "CustomerId=Keyword", "--search-attribute", "Weight=Double"),
    *("--dynamic-config-value", "frontend.enableServerVersionCheck=false"),
]


async def test_a_harness_can_start_it(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "perdure", "server", "start-dev", "--port", "0", *HARNESS),
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        port = 0
        while not port:
            line = (await asyncio.wait_for(process.stderr.readline(), 60)).decode()
            assert line, "it has ended"
            if line.startswith("Temporal's SDKs connect to "):
                port = int(line.rsplit(":", 1)[1].rstrip().rstrip("."))
        client = await Client.connect(f"127.0.0.1:{port}", namespace="shop")
        handle = await client.start_workflow("Anything", id="anything", task_queue="q")
        assert (await handle.describe()).task_queue == "q"
        known = await client.operator_service.list_search_attributes(ListSearchAttributesRequest(namespace="shop"))
        types = {name: int(kind) for name, kind in known.custom_attributes.items()}
        assert types == {"CustomerId": AttributeType.KEYWORD, "Weight": AttributeType.FLOAT}
        assert list(tmp_path.iterdir()) == [], "runs are kept in memory"
    finally:
        process.terminate()
        await process.communicate()
    assert process.returncode == 0


@pytest.mark.parametrize("text", ["", "CustomerId", "=Keyword", "CustomerId=Number"])
def test_what_is_no_search_attribute(text: str) -> None:
    with pytest.raises(InvalidArgumentError):
        attribute_of(text)
