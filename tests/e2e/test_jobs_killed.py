"""A job that nobody waits for any more is stopped, whenever the server is killed."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from tests.e2e.test_stepfunctions_killed import ServerProcess, client, until

pytestmark = pytest.mark.slow

STATE = {"Type": "Task", "Resource": "arn:aws:states:::glue:startJobRun.sync", "Parameters": {"JobName": "long"}}


class Glue:
    """Has one job, which goes on until it is stopped; the first who stops it gets no answer."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.stopped: list[str] = []
        self.looks: list[str] = []
        self._may_answer = threading.Event()
        glue = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                answer: dict[str, object]
                asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
                match self.headers["x-amz-target"].partition(".")[2]:
                    case "StartJobRun":
                        glue.begun.append(asked["JobName"])
                        answer = {"JobRunId": "jr_1"}
                    case "BatchStopJobRun":
                        glue.stopped += asked["JobRunIds"]
                        glue._may_answer.wait(60)
                        answer = {}
                    case _:
                        state = "STOPPED" if glue.stopped else "RUNNING"
                        glue.looks.append(state)
                        answer = {"JobRun": {"Id": "jr_1", "JobName": "long", "JobRunState": state}}
                body = json.dumps(answer).encode()
                try:
                    self.send_response(200)
                    self.send_header("content-length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except ConnectionError:
                    pass  # whoever asked is dead

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._may_answer.set()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def glue():
    glue = Glue()
    yield glue
    glue.close()


@pytest.fixture
def server(tmp_path, glue):
    server = ServerProcess(tmp_path, glue=glue.url)
    server.start()
    yield server
    server.kill()


def test_a_job_is_stopped_once_though_the_server_is_killed_before_and_meanwhile(server, glue):
    sfn = client(server)
    definition = json.dumps({"StartAt": "T", "States": {"T": {**STATE, "End": True}}})
    machine = sfn.create_state_machine(name="one", definition=definition, roleArn="arn:aws:iam::1:role/r")
    execution = sfn.start_execution(stateMachineArn=machine["stateMachineArn"])["executionArn"]

    def has_begun():
        events = sfn.get_execution_history(executionArn=execution)["events"]
        return events[-1]["type"] == "TaskSubmitted"

    until(has_begun)
    server.kill()
    server.start()
    sfn.stop_execution(executionArn=execution)
    server.kill()  # whether or not anybody has heard of it yet
    server.start()
    until(lambda: glue.stopped)
    server.kill()  # the service has been told, and nobody knows
    server.start()
    until(lambda: "STOPPED" in glue.looks)
    server.kill()
    assert (glue.begun, glue.stopped) == (["long"], ["jr_1"])
