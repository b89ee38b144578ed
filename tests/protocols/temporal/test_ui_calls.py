"""What Temporal's web page asks is answered with the status codes of Temporal's server, and with the same fields."""

import json
from pathlib import Path

import grpc
from tests.protocols.temporal.test_cli_calls import LACKING
from tests.protocols.temporal.ui_calls import Teller

from perdure.app.server import Server

RECORDED = json.loads((Path(__file__).parent / "recorded" / "ui_calls.json").read_text())

MORE_LACKING = {
    "ListNamespaces": ("namespaces[].namespaceInfo.description",),  # of its own namespace
    "DescribeTaskQueue": ("effectiveRateLimit", "pollers[].workerVersionCapabilities", "versioningInfo"),
    "GetWorkflowExecutionHistory": (
        "history.events[].activityTaskScheduledEventAttributes.useWorkflowBuildId",
        "history.events[].activityTaskStartedEventAttributes",
    ),
}
MORE_LACKING["GetWorkflowExecutionHistoryReverse"] = (
    *MORE_LACKING["GetWorkflowExecutionHistory"],
    *LACKING["GetWorkflowExecutionHistory"],
)
IN_OTHER_WORDS = {"ListWorkflowExecutions: wrong"}


async def test_what_the_web_page_asks(server: Server) -> None:
    address = f"127.0.0.1:{server.temporal_port}"
    async with grpc.aio.insecure_channel(address) as channel:
        told = await Teller(address, channel).all()
    assert list(told) == list(RECORDED)
    for label, (status, *said) in RECORDED.items():
        method = label.partition(":")[0]
        assert told[label][0] == status, (label, told[label])
        if status == "OK":
            known = (*LACKING.get(method, ()), *MORE_LACKING.get(method, ()))
            missing = [path for path in said if path not in told[label] and not path.startswith(known)]
            assert not missing, label
        elif status != "UNIMPLEMENTED" and label not in IN_OTHER_WORDS:
            assert told[label][1:] == said, label
