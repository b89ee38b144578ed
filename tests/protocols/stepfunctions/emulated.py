"""A server process for AWS's clients, and the services that its tasks call: emulated ones, a process, too."""

import json
import os
import re
import subprocess
import sys
import time
from functools import cached_property

import boto3
from botocore.config import Config

ACCOUNT = "111111111111"
REGION = "us-east-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/any"

_WITHOUT = {
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/nowhere",
    "AWS_SHARED_CREDENTIALS_FILE": "/nowhere",
}


def environment():
    """Without credentials of whoever runs the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {**kept, **_WITHOUT}


def client(service, url):
    return boto3.client(
        service,
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id=ACCOUNT,
        aws_secret_access_key="any",
        config=Config(retries={"total_max_attempts": 1}, inject_host_prefix=False, s3={"addressing_style": "path"}),
    )


class Process:
    """A process that says where it listens."""

    def __init__(self, *words, pattern=r"(http://\S+)"):
        self._process = subprocess.Popen(
            [sys.executable, "-m", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment(),
        )
        assert self._process.stdout is not None
        said = ""
        for line in self._process.stdout:
            said += line
            if found := re.search(pattern, line):
                self.url = found[1]
                return
        raise AssertionError(said)

    def close(self):
        self._process.kill()
        self._process.communicate()


class Emulator(Process):
    """AWS's services."""

    def __init__(self):
        super().__init__("moto.server", "-H", "127.0.0.1", "-p", "0", pattern=r"Running on (http://\S+)")

    def client(self, service):
        return client(service, self.url)


class Server(Process):
    """``perdure server``, whose address for REST takes AWS's clients, too."""

    def __init__(self, *flags):
        super().__init__(
            "perdure", "server", "--store=memory://", "--rest-address=127.0.0.1:0", "--grpc-address=127.0.0.1:0",
            "--stepfunctions-address=127.0.0.1:0", *flags,
        )  # fmt: skip
        self._machines = 0

    @cached_property
    def api(self):
        return client("stepfunctions", self.url)

    def start(self, definition, input=None):
        """Start an execution of a new machine; its ARN."""
        self._machines += 1
        machine = self.api.create_state_machine(
            name=f"machine-{self._machines}", definition=json.dumps(definition), roleArn=ROLE
        )
        started = self.api.start_execution(
            stateMachineArn=machine["stateMachineArn"], name="one", input=json.dumps({} if input is None else input)
        )
        return started["executionArn"]

    def end_of(self, execution):
        """How it ended: its output, or its error and cause."""
        while (found := self.api.describe_execution(executionArn=execution))["status"] == "RUNNING":
            time.sleep(0.01)
        if found["status"] == "SUCCEEDED":
            return json.loads(found["output"])
        return found["error"], found.get("cause", "")

    def run(self, definition, input=None):
        return self.end_of(self.start(definition, input))

    def events(self, execution):
        return self.api.get_execution_history(executionArn=execution)["events"]


def machine(*states, **more):
    """A machine of these states, one after the other."""
    named = {f"S{number}": dict(state) for number, state in enumerate(states)}
    for number, state in enumerate(named.values()):
        state |= {"Next": f"S{number + 1}"} if number + 1 < len(named) else {"End": True}
    return {"StartAt": "S0", "States": named, **more}


def task(resource, parameters=None, **more):
    resource = resource if resource.startswith("arn:") else f"arn:aws:states:::{resource}"
    return {"Type": "Task", "Resource": resource, **({} if parameters is None else {"Parameters": parameters}), **more}
