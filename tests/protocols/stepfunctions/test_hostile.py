"""Whatever is asked, the answer is AWS's: never a 5xx, never a traceback."""

import json
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.protocols.stepfunctions.conftest import ACCOUNT, PASS, ROLE, Client

from perdure.app.server import Server
from perdure.app.stepfunctions import StepFunctions
from perdure.protocols.stepfunctions.application import HANDLERS
from perdure.protocols.stepfunctions.parts import Bounds
from perdure.protocols.stepfunctions.shapes import ServiceModel

MODEL = ServiceModel()
BASE = f"arn:aws:states:us-east-1:{ACCOUNT}"
TEXTS = st.one_of(
    st.sampled_from(
        [
            f"{BASE}:stateMachine:orders",
            f"{BASE}:stateMachine:orders:1",
            f"{BASE}:stateMachine:orders:99999999999999999999",
            f"{BASE}:stateMachine:orders:prod",
            f"{BASE}:execution:orders:one",
            f"{BASE}:express:orders:one:two",
            f"{BASE}:mapRun:orders/x:1",
            f"{BASE}:activity:pack",
            f"{BASE}:stateMachine:",
            "arn:::::::",
            PASS,
            ROLE,
            "{}",
            '{"StartAt": 1, "States": []}',
            "9" * 400,
            "[" * 3000,
            "\ud800".encode("utf-8", "replace").decode(),
        ]
    ),
    st.text(max_size=30),
)
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), TEXTS)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def of_shape(shape, depth=0):
    """Mostly what the shape asks for, now and then anything."""
    own: st.SearchStrategy[Any]
    match shape.type_name:
        case "structure" if depth < 4:
            own = st.fixed_dictionaries(
                {name: of_shape(shape.members[name], depth + 1) for name in shape.required_members},
                optional={
                    name: of_shape(member, depth + 1)
                    for name, member in shape.members.items()
                    if name not in shape.required_members
                },
            )
        case "list":
            own = st.lists(of_shape(shape.member, depth + 1), max_size=3)
        case "string" if shape.enum:
            own = st.sampled_from(shape.enum)
        case "string":
            own = TEXTS
        case "integer" | "long":
            own = st.integers(-2, 1001)
        case "boolean":
            own = st.booleans()
        case _:
            own = VALUES
    return st.integers(0, 19).flatmap(lambda draw: VALUES if draw == 0 and depth else own)


REQUESTS = st.sampled_from(sorted(MODEL.names)).flatmap(
    lambda name: st.tuples(st.just(name), of_shape(MODEL.input_of(name)))
)


def test_every_operation_of_aws_has_a_handler():
    assert set(HANDLERS) == MODEL.names


@pytest.mark.slow
async def test_nothing_that_is_asked_is_the_servers_fault():
    server = Server(
        "memory://",
        rest_address="127.0.0.1:0",
        grpc_address="127.0.0.1:0",
        stepfunctions=StepFunctions("127.0.0.1:0", bounds=Bounds(poll_seconds=0.01, sync_seconds=0.5)),
    )
    await server.open()
    client = Client(server.stepfunctions_port)
    await client.create_state_machine(name="orders", definition=PASS, roleArn=ROLE, publish=True)
    await client.create_activity(name="pack")
    seen = []

    @settings(max_examples=800, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
    @given(REQUESTS)
    def collect(request):
        seen.append(request)

    collect()
    credential = (
        f"AWS4-HMAC-SHA256 Credential={ACCOUNT}/20260101/us-east-1/states/aws4_request, SignedHeaders=host, Signature=0"
    )
    async with httpx.AsyncClient(timeout=30) as http:
        for name, body in seen:
            answer = await http.post(
                f"http://127.0.0.1:{server.stepfunctions_port}/",
                headers={"x-amz-target": f"AWSStepFunctions.{name}", "authorization": credential},
                content=json.dumps(body).encode(),
            )
            assert answer.status_code < 500, (name, body, answer.text)
            if answer.status_code >= 400:
                assert answer.json()["__type"], (name, body)
    await server.close()
