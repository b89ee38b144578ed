"""``http:invoke`` against a server that says what it was asked, with EventBridge's connections from a file."""

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.protocols.stepfunctions.emulated import ROLE, Server, machine, task


class Api:
    """``/said`` answers with the request; ``/token`` gives a token, the second time another; ``/busy`` is so twice; ``/silent``
    says nothing before all is over; a number is the status of the answer."""

    def __init__(self):
        self.tokens, self.busy = 0, 0
        self.token_request: dict = {}
        self.is_over = threading.Event()
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
                parts = urlsplit(self.path)
                said = {
                    "method": self.command,
                    "query": parts.query,
                    "headers": {name.lower(): value for name, value in self.headers.items()},
                    "body": body,
                }
                word = parts.path.strip("/")
                status, content, kind = 200, json.dumps(said), "application/json"
                if word == "token":
                    api.tokens += 1
                    api.token_request = said
                    content = json.dumps(
                        {"access_token": f"token-{api.tokens}", "token_type": "bearer", "expires_in": 3600}
                    )
                elif word == "guarded" and self.headers["authorization"] != f"Bearer token-{api.tokens}":
                    status = 401
                elif word == "busy":
                    api.busy += 1
                    status = 503 if api.busy < 3 else 200
                elif word == "silent":
                    api.is_over.wait()
                elif word == "text":
                    content, kind = "grüße", "text/plain; charset=latin-1"
                elif word == "bytes":
                    content, kind = "\xff\xfe", "application/octet-stream"
                elif word.isdecimal():
                    status, content = int(word), '{"reason": "no"}'
                data = (
                    b""
                    if self.command == "HEAD"
                    else content.encode("latin-1" if kind != "application/json" else "utf-8")
                )
                self.send_response(status)
                for name, value in (
                    ("content-type", kind),
                    ("content-length", str(len(data))),
                    ("x-twice", "a"),
                    ("x-twice", "b"),
                ):
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"):
            setattr(Handler, f"do_{method}", Handler.answer)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self):
        self.is_over.set()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="module")
def api():
    api = Api()
    yield api
    api.close()


def arn(name):
    return f"arn:aws:events:us-east-1:111111111111:connection/{name}/0c2f"


@pytest.fixture(scope="module")
def server(api, tmp_path_factory):
    file = tmp_path_factory.mktemp("settings") / "connections.json"
    more = {
        "HeaderParameters": [{"Key": "X-Shop", "Value": "7", "IsValueSecret": False}],
        "QueryStringParameters": [{"Key": "q", "Value": "theirs"}],
        "BodyParameters": [{"Key": "shop", "Value": "7"}],
    }
    oauth = {
        "AuthorizationEndpoint": f"{api.url}/token",
        "HttpMethod": "POST",
        "ClientParameters": {"ClientID": "me", "ClientSecret": "hidden"},
        "OAuthHttpParameters": {"BodyParameters": [{"Key": "scope", "Value": "all"}]},
    }
    connections = {
        "basic": {
            "AuthorizationType": "BASIC",
            "AuthParameters": {
                "BasicAuthParameters": {"Username": "ada", "Password": "secret"},
                "InvocationHttpParameters": more,
            },
        },
        arn("key"): {
            "AuthorizationType": "API_KEY",
            "AuthParameters": {"ApiKeyAuthParameters": {"ApiKeyName": "X-Key", "ApiKeyValue": "k"}},
        },
        "oauth": {"AuthorizationType": "OAUTH_CLIENT_CREDENTIALS", "AuthParameters": {"OAuthParameters": oauth}},
    }
    file.write_text(json.dumps(connections))
    server = Server(f"--http-connections={file}")
    yield server
    server.close()


def call(url, method="GET", connection="key", retry=None, **more):
    parameters = {"ApiEndpoint": url, "Method": method, "Authentication": {"ConnectionArn": arn(connection)}, **more}
    return machine(task("http:invoke", parameters, **({"Retry": retry} if retry else {})))


def test_a_call_says_what_it_was_told_to(api, server):
    definition = call(
        f"{api.url}/said?a=1",
        "POST",
        Headers={"X-Kind": "new", "X-Several": ["a", "b"]},
        QueryParameters={"b": ["2", "3"], "c": "x y"},
        RequestBody={"n.$": "$.n"},
    )
    answer = server.run(definition, {"n": 7})
    assert (answer["StatusCode"], answer["StatusText"], answer["Headers"]["x-twice"]) == (200, "OK", ["a", "b"])
    said = answer["ResponseBody"]
    assert (said["method"], json.loads(said["body"])) == ("POST", {"n": 7})
    assert parse_qs(said["query"]) == {"a": ["1"], "b": ["2", "3"], "c": ["x y"]}
    headers = said["headers"]
    assert (headers["x-kind"], headers["x-several"], headers["x-key"]) == ("new", "a, b", "k")
    assert headers["content-type"] == "application/json"


def test_every_method_is_made(api, server):
    for method in ("GET", "PUT", "DELETE", "PATCH", "OPTIONS"):
        assert server.run(call(f"{api.url}/said", method))["ResponseBody"]["method"] == method
    assert server.run(call(f"{api.url}/said", "HEAD"))["StatusCode"] == 200
    assert server.run(call(f"{api.url}/said", "BREW"))[0] == "States.Runtime"


@pytest.mark.parametrize(
    "arrays, sent",
    [
        (None, "a[0]=x&a[1]=y%26&b[c]=1"),
        ("INDICES", "a[0]=x&a[1]=y%26&b[c]=1"),
        ("REPEAT", "a=x&a=y%26&b[c]=1"),
        ("COMMAS", "a=x,y%26&b[c]=1"),
        ("BRACKETS", "a[]=x&a[]=y%26&b[c]=1"),
    ],
)
def test_a_body_goes_as_a_form(api, server, arrays, sent):
    options = {"RequestEncodingOptions": {"ArrayFormat": arrays}} if arrays else {}
    definition = call(
        f"{api.url}/said",
        "POST",
        RequestBody={"a": ["x", "y&"], "b": {"c": 1}},
        Transform={"RequestBodyEncoding": "URL_ENCODED", **options},
    )
    said = server.run(definition)["ResponseBody"]
    assert (said["body"], said["headers"]["content-type"]) == (sent, "application/x-www-form-urlencoded")


def test_a_connection_adds_its_part_and_has_the_last_word(api, server):
    definition = call(
        f"{api.url}/said",
        "POST",
        "basic",
        Headers={"x-shop": "mine", "Authorization": "mine"},
        QueryParameters={"q": "mine", "p": "1"},
        RequestBody={"shop": "mine", "n": 1},
    )
    said = server.run(definition)["ResponseBody"]
    assert said["headers"]["authorization"] == "Basic " + base64.b64encode(b"ada:secret").decode()
    assert said["headers"]["x-shop"] == "7"
    assert parse_qs(said["query"]) == {"q": ["theirs"], "p": ["1"]}
    assert json.loads(said["body"]) == {"shop": "7", "n": 1}
    assert server.run(call(f"{api.url}/said", "POST", "basic", RequestBody="text"))[0] == "States.Runtime"
    error, cause = server.run(call(f"{api.url}/said", connection="nobody"))
    assert error == "States.Runtime" and "There is no connection" in cause


def test_a_token_is_asked_for_once_and_again_when_it_is_refused(api, server):
    guarded = call(f"{api.url}/guarded", connection="oauth")
    for _ in range(2):
        assert server.run(guarded)["ResponseBody"]["headers"]["authorization"] == "Bearer token-1"
    form = parse_qs(api.token_request["body"])
    assert form["grant_type"] == ["client_credentials"] and form["scope"] == ["all"]
    assert api.token_request["headers"]["authorization"] == "Basic " + base64.b64encode(b"me:hidden").decode()
    api.tokens += 1  # what was given is good no more
    assert server.run(guarded)["ResponseBody"]["headers"]["authorization"] == "Bearer token-3"


def test_a_status_is_an_error_by_its_number_and_may_be_tried_again(api, server):
    assert server.run(call(f"{api.url}/404")) == ("States.Http.StatusCode.404", '{"reason": "no"}')
    assert server.run(call(f"{api.url}/302"))["StatusCode"] == 302
    retry = [{"ErrorEquals": ["States.Http.StatusCode.503"], "IntervalSeconds": 1, "MaxAttempts": 3, "BackoffRate": 1}]
    assert server.run(call(f"{api.url}/busy", retry=retry))["StatusCode"] == 200
    assert api.busy == 3


def test_an_answer_is_text_if_it_is_no_json(api, server):
    assert server.run(call(f"{api.url}/text"))["ResponseBody"] == "grüße"
    error, cause = server.run(call(f"{api.url}/bytes"))
    assert error == "States.Runtime" and "no text" in cause


def test_where_nobody_listens_or_nobody_may_go(api, server):
    closed = Api()
    closed.close()
    assert server.run(call(f"{closed.url}/said"))[0] == "States.Http.Socket"
    for url in ("http://169.254.169.254/latest", "ftp://example.com", "nonsense"):
        assert server.run(call(url))[0] == "States.Runtime"


@pytest.mark.parametrize(
    "name, value", [("Host", "x"), ("X-Amz-Date", "x"), ("te", "x"), ("X-A", "b\r\nX-C: d"), ("a b", "x")]
)
def test_a_header_that_can_not_be_set_is_refused(api, server, name, value):
    error, cause = server.run(call(f"{api.url}/said", Headers={name: value}))
    assert error == "States.Runtime" and "header" in cause


def tried(server, url, method="POST", level="TRACE", connection="basic", **more):
    parameters = {"ApiEndpoint": url, "Method": method, "Authentication": {"ConnectionArn": arn(connection)}}
    parameters |= more.pop("parameters", {})
    state = task("http:invoke", parameters, **more.pop("state", {}), End=True)
    return server.api.test_state(definition=json.dumps(state), roleArn=ROLE, inspectionLevel=level, **more)


def test_a_trial_tells_what_was_asked_and_answered(api, server):
    parameters = {
        "Headers": {"X-Kind": "new"},
        "QueryParameters": {"p": "1"},
        "RequestBody": {"n": 1},
    }
    found = tried(server, f"{api.url}/said", parameters=parameters)
    assert found["status"] == "SUCCEEDED"
    assert found["inspectionData"]["request"] == {
        "protocol": "http",
        "method": "POST",
        "url": f"{api.url}/said?p=1",
        "headers": "[X-Kind: new, Content-Type: application/json]",
        "body": '{"n": 1}',
    }
    response = found["inspectionData"]["response"]
    assert (response["protocol"], response["statusCode"], response["statusMessage"]) == ("http", "200", "OK")
    assert (
        "content-type: application/json, " in response["headers"] and "x-twice: a, x-twice: b]" in response["headers"]
    )
    assert json.loads(response["body"]) == json.loads(found["output"])["ResponseBody"]

    revealed = tried(server, f"{api.url}/said", parameters=parameters, revealSecrets=True)["inspectionData"]["request"]
    secret = base64.b64encode(b"ada:secret").decode()
    assert revealed["url"] == f"{api.url}/said?p=1&q=theirs"
    assert (
        revealed["headers"]
        == f"[X-Kind: new, X-Shop: 7, Authorization: Basic {secret}, Content-Type: application/json]"
    )
    assert json.loads(revealed["body"]) == {"n": 1, "shop": "7"}


def test_a_trial_that_fails_tells_it_too(api, server):
    found = tried(server, f"{api.url}/404", "GET", connection="key")
    assert (found["status"], found["error"]) == ("FAILED", "States.Http.StatusCode.404")
    inspected = found["inspectionData"]
    assert "body" not in inspected["request"] and "X-Key" not in inspected["request"]["headers"]
    assert (inspected["response"]["statusCode"], inspected["response"]["body"]) == ("404", '{"reason": "no"}')

    closed = Api()
    closed.close()
    inspected = tried(server, f"{closed.url}/said", "GET")["inspectionData"]
    assert inspected["request"]["url"] == f"{closed.url}/said" and "response" not in inspected


def test_a_trial_that_is_not_traced_tells_nothing_of_requests(api, server):
    assert "inspectionData" not in tried(server, f"{api.url}/said", level="INFO")
    assert not {"request", "response"} & set(tried(server, f"{api.url}/said", level="DEBUG")["inspectionData"])


def test_a_trial_takes_no_longer_than_its_state_may(api, server):
    retry = [{"ErrorEquals": ["States.Timeout"], "MaxAttempts": 1}]
    found = tried(server, f"{api.url}/silent", "GET", state={"TimeoutSeconds": 1, "Retry": retry})
    assert (found["status"], found["error"], "cause" in found) == ("RETRIABLE", "States.Timeout", False)
    assert "response" not in found["inspectionData"]
