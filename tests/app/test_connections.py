"""How many connections a server may have."""

import subprocess
import sys


def test_a_server_takes_as_many_as_the_system_allows():
    script = """
import resource
from perdure.app.serving import allow_connections
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 200))
allow_connections()
print(resource.getrlimit(resource.RLIMIT_NOFILE))
"""
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "(200, 200)"
