"""An OTLP receiver as a collector has it: HTTP, protobuf, sometimes gzip."""

import gzip
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


class Span:
    """A span as it arrived."""

    def __init__(self, resource, span):
        self.service = resource.get("service.name")
        self.name = span.name
        self.trace_id = span.trace_id.hex()
        self.id = span.span_id.hex()
        self.parent_id = span.parent_span_id.hex()
        self.links = [link.span_id.hex() for link in span.links]
        self.attributes = _values(span.attributes)
        self.failed = span.status.code == 2
        self.start, self.end = span.start_time_unix_nano, span.end_time_unix_nano


class Receiver:
    """What has arrived."""

    def __init__(self):
        self.spans = []
        self.url = ""

    def one(self, name, **attributes):
        found = self.named(name, **attributes)
        assert len(found) == 1, f"{len(found)} spans {name!r} among {sorted(span.name for span in self.spans)}"
        return found[0]

    def named(self, name, **attributes):
        return [
            span
            for span in self.spans
            if span.name == name
            and all(span.attributes.get(f"perdure.{key}") == value for key, value in attributes.items())
        ]


def _values(attributes):
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}


@contextmanager
def otlp_receiver():
    received = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):  # http.server's name
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            assert (self.path, self.headers["Content-Type"]) == ("/v1/traces", "application/x-protobuf")
            for resource_spans in ExportTraceServiceRequest.FromString(body).resource_spans:
                resource = _values(resource_spans.resource.attributes)
                for scope_spans in resource_spans.scope_spans:
                    received.spans += [Span(resource, span) for span in scope_spans.spans]
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    received.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
