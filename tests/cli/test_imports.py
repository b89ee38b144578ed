"""A command is as quick as what it loads: what is heavy and not needed for asking a server stays unloaded."""

import json
import subprocess
import sys

import pytest
from tests.cli.conftest import ServerThread

HEAVY = (
    "cryptography",
    "grpc",
    "httpcore",
    "httpx",
    "jmespath",
    "joserfc",
    "lark",
    "ngh2",
    "opentelemetry",
    "perdure.engine.engine",
    "perdure.engine.service",
    "perdure.protocols.rest",
    "perdure.sdk.worker",
    "perdure.stores",
    "prometheus_client",
    "psutil",
    "rich",
    "sqlite3",
    "starlette",
    "uvicorn",
    "watchfiles",
)
SEEN = """
import json, sys
from perdure.cli.main import app
try:
    app(sys.argv[1:], prog_name="perdure")
except SystemExit as end:
    assert not end.code, end.code
print(json.dumps(sorted(sys.modules)))
"""


@pytest.mark.parametrize(
    "arguments", [("count",), ("list", "--json"), ("start", "echo", "1"), ("worker", "list", "--json")]
)
def test_a_command_that_asks_a_server_loads_little(arguments):
    with ServerThread() as url:
        command = [sys.executable, "-c", SEEN, *arguments, "--server", url]
        done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=60, check=True)
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert [name for name in HEAVY if name in loaded] == []
