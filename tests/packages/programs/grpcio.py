"""A gRPC server and a client on this machine: one answer, a stream, an error, a deadline."""

import pkgutil
import threading
from concurrent import futures

import grpc

DISTRIBUTIONS = ["grpcio"]


class Words(grpc.GenericRpcHandler):
    """A service without generated code: messages are bytes."""

    def service(self, details):
        """Return what answers a method."""
        return {
            "/Words/Upper": grpc.unary_unary_rpc_method_handler(lambda request, _: request.upper()),
            "/Words/Split": grpc.unary_stream_rpc_method_handler(lambda request, _: iter(request.split())),
            "/Words/Fail": grpc.unary_unary_rpc_method_handler(_fail),
            "/Words/Wait": grpc.unary_unary_rpc_method_handler(_wait),
        }.get(details.method)


def _fail(_, context):
    context.abort(grpc.StatusCode.OUT_OF_RANGE, "no such word")


def _wait(request, context):
    ended = threading.Event()
    context.add_callback(ended.set)
    ended.wait(30)
    return request


def work():
    """Start the server, call each of its methods."""
    server = grpc.server(futures.ThreadPoolExecutor(4), handlers=[Words()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield from _talk(channel)
    finally:
        server.stop(None).wait()
    roots = pkgutil.get_data("grpc", "_cython/_credentials/roots.pem")
    assert b"BEGIN CERTIFICATE" in roots
    yield f"{roots.count(b'BEGIN CERTIFICATE')} authorities in its own file"


def _talk(channel):
    assert channel.unary_unary("/Words/Upper")(b"ada", timeout=60) == b"ADA"
    large = b"x" * 3_000_000
    assert channel.unary_unary("/Words/Upper")(large, timeout=60) == large.upper()
    words = list(channel.unary_stream("/Words/Split")(b"one two three", timeout=60))
    assert words == [b"one", b"two", b"three"]
    yield f"one answer, one of {len(large)} bytes, a stream of {len(words)}"
    refused = []
    for method, limit in (("Fail", 60), ("Wait", 0.2), ("Nothing", 60)):
        try:
            channel.unary_unary(f"/Words/{method}")(b"", timeout=limit)
        except grpc.RpcError as error:
            refused.append(error.code().name)
    assert refused == ["OUT_OF_RANGE", "DEADLINE_EXCEEDED", "UNIMPLEMENTED"], refused
    yield f"refused: {', '.join(refused)}"
