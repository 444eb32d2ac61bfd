"""The fast lane sends the bytes that uvicorn's own way sends, in the same order, and asks no application.

Both ways run on the same event loop as in production, behind Unix sockets, with the same answers behind them.
"""

import asyncio
import contextlib
import inspect
import random
import socket
from contextlib import asynccontextmanager
from functools import partial
from itertools import permutations, product

import pytest
import uvicorn
import uvloop
from httptools import HttpRequestParser
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from keystead.api import lane
from keystead.api.answer import Answer, header_lines
from keystead.api.lane import Lane, Wording
from keystead.web.head import Head

MOST = 300
DATE = b"Thu, 01 Jan 2026 00:00:00 GMT"
END = b"GET /end HTTP/1.1\r\nConnection: close\r\n\r\n"
FAST = b"GET /auth?scopes=a HTTP/1.1\r\nHost: x\r\nX-Forwarded-Uri: /jobs\r\n\r\n"
SLOW = b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"


def post(body, *headers, path=b"/api/v1/verify", version=b"1.1"):
    size = (
        []
        if any(it.lower().startswith(b"transfer") for it in headers)
        else [b"Content-Length: %d" % len(body)]
    )
    return b"\r\n".join([b"POST %b HTTP/%b" % (path, version), b"Host: x", *size, *headers, b"", body])


def chunked(*chunks, trailer=b"", path=b"/api/v1/verify"):
    body = b"".join(b"%x\r\n%b\r\n" % (len(it), it) for it in chunks) + b"0\r\n" + trailer + b"\r\n"
    return post(body, b"Transfer-Encoding: chunked", path=path)


VERIFY = post(b'{"token":"a"}')


class Hot:
    """Answers with what it was asked; a query of `raise` or `raise-early` fails, of `304` has that status."""

    def __init__(self):
        self.big = b""

    def takes(self, method, path):
        return path == "/auth" or (method, path) == ("POST", "/api/v1/verify")

    def wants_body(self, head):
        if head.query == b"raise-early":
            raise ValueError("on purpose")
        return None if head.path == "/auth" else MOST

    def answer(self, head, body):
        if head.query == b"raise":
            raise RuntimeError("on purpose")
        seen = repr((head.method, head.path, head.query, head.headers, body)).encode()
        lines = header_lines([("X-Key-Id", "key_1"), ("Cache-Control", "no-store")]).encode()
        return Answer(304 if head.query == b"304" else 200, lines, seen + self.big)


class App:
    """The application behind both ways: answers what `Hot` takes as it does, and all else after a moment."""

    def __init__(self, hot):
        self.hot = hot
        self.asked = []
        self.body_s = 5.0

    async def __call__(self, scope, receive, send):
        self.asked.append(scope["path"])
        path = scope["raw_path"].decode()
        head = Head(scope["method"], path, scope["query_string"], scope["headers"], scope["client"])
        try:
            answer = await self.answer(head, receive)
        except (RuntimeError, ValueError):
            answer = Answer(500, b"", b"failed")
        headers = [*answer.raw_headers, (b"content-length", b"%d" % len(answer.body))]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    async def answer(self, head, receive):
        if not self.hot.takes(head.method, head.path):
            await asyncio.sleep(0.005)
            return Answer(200, b"", head.path.encode())
        most, body, more = self.hot.wants_body(head), b"", True
        while most is not None and more:
            try:
                async with asyncio.timeout(self.body_s):
                    message = await receive()
            except TimeoutError:
                return Answer(408, b"", b"too slow")
            body, more = body + message.get("body", b""), message.get("more_body", False)
            if len(body) > most:
                return Answer(413, b"", b"too large")
        return self.hot.answer(head, body)


class Way:
    """A listening server that speaks one of the two ways."""

    def __init__(self, path, *, fast, **options):
        self.path = str(path)
        self.hot = Hot()
        self.app = App(self.hot)
        self.state = ServerState()
        self.state.default_headers = [(b"date", DATE)]
        config = uvicorn.Config(
            self.app,
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            **options,
        )
        config.load()
        make = partial(Lane, hot=self.hot, wording=Wording()) if fast else HttpToolsProtocol
        self.make = partial(make, config, self.state, {})

    async def sent(self, *parts, pause=0.002, half_close=False):
        """All that comes back on one connection until the server closes it."""
        reader, writer = await asyncio.open_unix_connection(self.path)
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)
        if half_close:
            writer.write_eof()
        try:
            async with asyncio.timeout(5):
                return await reader.read()
        finally:
            writer.close()

    @property
    def connection(self):
        [only] = self.state.connections
        return only


@asynccontextmanager
async def serving(folder, *, fast, **options):
    way = Way(folder / ("fast" if fast else "plain"), fast=fast, **options)
    server = await asyncio.get_running_loop().create_unix_server(way.make, way.path)
    try:
        yield way
    finally:
        server.close()
        for connection in list(way.state.connections):
            connection.transport.abort()
        await server.wait_closed()


@pytest.fixture
async def ways(tmp_path):
    async with serving(tmp_path, fast=True) as fast, serving(tmp_path, fast=False) as plain:
        yield fast, plain


async def same(ways, *parts, **how):
    """What both ways answer, which must be the same bytes; and what the fast way left to the application."""
    fast, plain = ways
    bytes_of_both = await fast.sent(*parts, **how), await plain.sent(*parts, **how)
    assert bytes_of_both[0] == bytes_of_both[1]
    assert fast.state.total_requests == plain.state.total_requests
    return bytes_of_both[0], [it for it in fast.app.asked if it != "/end"]


IN_LANE = {
    "GET": FAST,
    "HEAD": b"HEAD /auth HTTP/1.1\r\n\r\n",
    "any method": b"PROPFIND /auth HTTP/1.1\r\n\r\n",
    "no query": b"GET /auth? HTTP/1.1\r\n\r\n",
    "two question marks": b"GET /auth??a=?b HTTP/1.1\r\n\r\n",
    "a status without a body": b"GET /auth?304 HTTP/1.1\r\n\r\n",
    "a header twice": b"GET /auth HTTP/1.1\r\nX-A: 1\r\nx-a: 2\r\n\r\n",
    "an empty header": b"GET /auth HTTP/1.1\r\nX-A:\r\nX-B: \xff\xfe\r\n\r\n",
    "a body nobody wants": post(b"x" * 5000, path=b"/auth"),
    "a chunked body nobody wants": chunked(b"abc", path=b"/auth"),
    "POST": VERIFY,
    "POST without a body": post(b""),
    "POST without a length": b"POST /api/v1/verify HTTP/1.1\r\n\r\n",
    "chunks": chunked(b"abc", b"d", b"ef" * 20),
    "the most that a body may be": post(b"x" * MOST),
    "many at once": FAST * 50 + VERIFY * 50,
}


@pytest.mark.parametrize("request_bytes", IN_LANE.values(), ids=IN_LANE)
async def test_in_the_lane_the_bytes_are_uvicorns_and_the_application_is_not_asked(ways, request_bytes):
    answer, asked = await same(ways, request_bytes + END)
    assert answer.startswith(
        (b"HTTP/1.1 200 OK\r\ndate: " + DATE, b"HTTP/1.1 304 Not Modified\r\ndate: " + DATE)
    )
    assert asked == []


BY_UVICORN = {
    "another path": SLOW,
    "a path that begins alike": b"GET /auth/ HTTP/1.1\r\n\r\n",
    "an escaped path": b"GET /%61uth HTTP/1.1\r\n\r\n",
    "an absolute address": b"GET http://x/auth HTTP/1.1\r\n\r\n",
    "a fragment": b"GET /auth?a=1#b HTTP/1.1\r\n\r\n",
    "another method": b"PUT /api/v1/verify HTTP/1.1\r\n\r\n",
    "a body too large": post(b"x" * (MOST + 1)),
    "a chunked body too large": chunked(b"x" * MOST, b"y"),
    "an expectation": post(b"abc", b"Expect: 100-Continue"),
    "a failure": b"GET /auth?raise HTTP/1.1\r\n\r\n",
    "a failure with a body": post(b"abc", path=b"/api/v1/verify?raise"),
    "a failure before the body": post(b"abc", path=b"/api/v1/verify?raise-early"),
}


@pytest.mark.parametrize("request_bytes", BY_UVICORN.values(), ids=BY_UVICORN)
async def test_what_is_not_for_the_lane_goes_uvicorns_way(ways, request_bytes):
    answer, asked = await same(ways, request_bytes + END)
    assert answer.count(b"HTTP/1.1 ") >= 2
    assert len(asked) == 1


CLOSING = {
    "HTTP/1.0": b"GET /auth HTTP/1.0\r\n\r\n",
    "HTTP/1.0 with keep-alive": b"GET /auth HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    "HTTP/1.0 with a body": post(b"abc", version=b"1.0"),
    "Connection: close": b"GET /auth HTTP/1.1\r\nConnection: Close\r\n\r\n",
    "close with a body": post(b"abc", b"Connection: close"),
    "close before the body came": post(b"x" * 100, b"Connection: close", path=b"/auth")[:-50],
}


@pytest.mark.parametrize("more", [b"", FAST, SLOW], ids=["alone", "before a fast one", "before a slow one"])
@pytest.mark.parametrize("request_bytes", CLOSING.values(), ids=CLOSING)
async def test_a_request_that_closes_is_the_last_one_answered(ways, request_bytes, more):
    answer, asked = await same(ways, request_bytes + more)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"\r\nconnection: close\r\n" in answer
    assert asked == []


BROKEN = {
    "request line": b"NONSENSE\r\n\r\n",
    "method": b"GOT /auth HTTP/1.1\r\n\r\n",
    "version": b"GET /auth HTTP/3.1\r\n\r\n",
    "folded header": b"GET /auth HTTP/1.1\r\nX-A: 1\r\n\x01 2\r\n\r\n",
    "header with a space": b"GET /auth HTTP/1.1\r\nX A: 1\r\n\r\n",
    "header with a NUL": b"GET /auth HTTP/1.1\r\nX-A: \x00\r\n\r\n",
    "two lengths": b"POST /auth HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "length and chunks": chunked(b"abc").replace(b"Host: x", b"Content-Length: 1"),
    "length": b"POST /api/v1/verify HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    "chunk": b"POST /api/v1/verify HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "a space in the address": b"GET /auth?a b HTTP/1.1\r\n\r\n",
}


@pytest.mark.parametrize("request_bytes", BROKEN.values(), ids=BROKEN)
async def test_what_cannot_be_read_is_400(ways, request_bytes):
    answer, _ = await same(ways, request_bytes)
    assert answer.startswith(b"HTTP/1.1 400 ")


async def test_folded_headers_are_read_alike(ways):
    await same(ways, b"GET /auth HTTP/1.1\r\nX-A: 1\r\n 2\r\n\r\n" + END)


@pytest.mark.parametrize("byte", [bytes([it]) for it in range(256)], ids=[f"{it:02x}" for it in range(256)])
async def test_every_byte_in_a_query_is_read_alike(ways, byte):
    await same(ways, b"GET /auth?a=" + byte + b"=c HTTP/1.1\r\n\r\n" + END)


async def test_what_cannot_be_read_after_an_answer_does_not_take_the_answer_away(ways):
    fast, _ = ways
    answer = await fast.sent(FAST + b"NONSENSE\r\n\r\n")
    assert [it[:3] for it in answer.split(b"HTTP/1.1 ")[1:]] == [b"200", b"400"]


async def test_what_cannot_be_read_after_a_close_is_not_answered(ways):
    fast, _ = ways
    answer = await fast.sent(b"GET /auth HTTP/1.1\r\nConnection: close\r\n\r\nNONSENSE\r\n\r\n")
    assert answer.count(b"HTTP/1.1 ") == 1


ANSWERED_FROM_THE_HEAD = {
    "an unknown coding": post(b"abc", b"Transfer-Encoding: xchunked", path=b"/auth"),
    "a chunk": post(b"zz\r\n", b"Transfer-Encoding: chunked", path=b"/auth"),
}


@pytest.mark.parametrize("request_bytes", ANSWERED_FROM_THE_HEAD.values(), ids=ANSWERED_FROM_THE_HEAD)
async def test_what_was_answered_from_its_head_is_not_answered_again(ways, request_bytes):
    fast, _ = ways
    for parts in ([request_bytes], [request_bytes[:-4], request_bytes[-4:]]):
        answer = await fast.sent(*parts)
        assert [it[:3] for it in answer.split(b"HTTP/1.1 ")[1:]] == [b"200"]


async def test_a_refusal_does_not_take_the_place_of_an_answer_that_is_owed(ways):
    fast, _ = ways
    assert b"400" not in await fast.sent(SLOW + b"NONSENSE\r\n\r\n")


# Heads too large

MUCH = 64 * 1024 + lane.PIECE_BYTES
BEGUN = b"GET /auth HTTP/1.1\r\n"
CHUNKS = b"POST %b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n"
LATE = CHUNKS % b"/api/v1/verify"
TOO_LARGE = {
    "address": b"GET /" + b"a" * MUCH,
    "a header's name": BEGUN + b"a" * MUCH,
    "a header's value": BEGUN + b"a: " + b"b" * MUCH,
    "complete": BEGUN + b"a: " + b"b" * MUCH + b"\r\n\r\n",
    "complete, of another path": SLOW[:-2] + b"a: " + b"b" * MUCH + b"\r\n\r\n",
    "headers": BEGUN + b"a:\r\n" * 102,
    "headers, complete": BEGUN + b"a:\r\n" * 101 + b"\r\n",
    "a million headers": BEGUN + b"a:\r\n" * 1_000_000,
    "a trailer": LATE + b"a: " + b"b" * MUCH,
    "trailers": LATE + b"a:\r\n" * 102,
    "a trailer, of another path": CHUNKS % b"/slow" + b"a: " + b"b" * MUCH,
}


@pytest.mark.parametrize("request_bytes", TOO_LARGE.values(), ids=TOO_LARGE)
async def test_a_head_that_is_too_large_is_431(ways, plug, request_bytes):
    fast, _ = ways
    assert await refused(plug, request_bytes) == [b"431"]
    assert not fast.state.connections
    assert fast.app.asked in ([], ["/slow"])


async def refused(plug, *parts):
    """The statuses of all that comes back; what the server does not read is left."""
    loop, got = asyncio.get_running_loop(), b""
    with contextlib.suppress(OSError):
        for part in parts:
            await loop.sock_sendall(plug, part)
            await asyncio.sleep(0.002)
    with contextlib.suppress(ConnectionResetError):
        async with asyncio.timeout(5):
            while more := await loop.sock_recv(plug, 65536):
                got += more
    assert got.endswith(b"connection: close\r\n\r\nRequest header fields too large.")
    return [it[:3] for it in got.split(b"HTTP/1.1 ")[1:]]


async def test_a_head_may_not_grow_in_parts_either(ways, plug):
    fast, _ = ways
    assert await refused(plug, FAST + BEGUN + b"a: ", *[b"b" * 1000] * 90) == [b"200", b"431"]
    assert not fast.state.connections


async def test_trailers_of_what_was_answered_are_bounded_too(ways):
    fast, _ = ways
    answer = await fast.sent(CHUNKS % b"/auth" + b"a:\r\n" * 102)
    assert [it[:3] for it in answer.split(b"HTTP/1.1 ")[1:]] == [b"200"]


WITHIN_BOUNDS = {
    "100 headers": BEGUN + b"a:\r\n" * 100 + b"\r\n",
    "a long header": BEGUN + b"a: " + b"b" * 48_000 + b"\r\n\r\n",
    "many requests": FAST * 3000,
    "many chunks": chunked(*[b"x"] * 300),
    "a long body": post(b"x" * 200_000, path=b"/auth"),
    "a long chunk": chunked(b"x" * 200_000, path=b"/auth"),
}


@pytest.mark.parametrize("request_bytes", WITHIN_BOUNDS.values(), ids=WITHIN_BOUNDS)
async def test_what_is_within_bounds_is_answered(ways, request_bytes):
    await same(ways, request_bytes + END)


# Requests in pieces and in a row


@pytest.mark.parametrize("request_bytes", [FAST, VERIFY, chunked(b"ab", b"c")], ids=["GET", "POST", "chunks"])
async def test_a_request_may_come_byte_by_byte(ways, request_bytes):
    parts = [bytes([it]) for it in request_bytes]
    _, asked = await same(ways, *parts, END, pause=0.0005)
    assert asked == []


@pytest.mark.parametrize("seed", range(10))
async def test_any_mix_cut_anywhere_is_answered_in_order(ways, seed):
    chance = random.Random(seed)  # noqa: S311 - not for secrets
    kinds = [*IN_LANE.values(), *BY_UVICORN.values()]
    stream = b"".join(chance.choices(kinds, k=20)) + END
    cuts = sorted(chance.sample(range(len(stream)), k=10))
    parts = [stream[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    # Told to go on or not depends on when a part comes: leave that out of what is compared.
    fast, plain = [(await way.sent(*parts)).replace(b"HTTP/1.1 100 Continue\r\n\r\n", b"") for way in ways]
    assert fast == plain


@pytest.mark.parametrize(
    "kinds",
    [*permutations((FAST, SLOW, VERIFY)), *product((FAST, SLOW), repeat=4)],
    ids=lambda kinds: " ".join({FAST: "fast", SLOW: "slow", VERIFY: "verify"}[it] for it in kinds),
)
async def test_pipelined_requests_are_answered_in_order(ways, kinds):
    answer, asked = await same(ways, b"".join(kinds) + END)
    assert answer.count(b"HTTP/1.1 200 ") == len(kinds) + 1
    # Whatever comes while an answer is owed goes the way of the one that owes it.
    first_slow = kinds.index(SLOW) if SLOW in kinds else len(kinds)
    assert len(asked) == len(kinds) - first_slow


async def test_after_a_slow_one_is_answered_the_next_is_fast_again(ways):
    fast, _ = ways
    await fast.sent(SLOW, FAST, SLOW, FAST + END, pause=0.05)
    assert fast.app.asked == ["/slow", "/slow", "/end"]


async def test_trailers_are_no_headers(ways):
    fast, _ = ways
    for request_bytes in (
        chunked(b"ab", trailer=b"X-Late: 1\r\n"),
        chunked(b"x" * 301, trailer=b"X-Late: 1\r\n"),
    ):
        assert b"x-late" not in await fast.sent(request_bytes + END)


# Bodies that do not come as they should


async def test_a_body_that_takes_its_time_goes_uvicorns_way_and_is_answered(ways, monkeypatch):
    monkeypatch.setattr(lane, "PATIENCE_S", 0.02)
    _, asked = await same(ways, VERIFY[:-5], VERIFY[-5:], END, pause=0.1)
    assert asked == ["/api/v1/verify"]


async def test_a_body_that_never_comes_ends_as_on_uvicorns_way(ways, monkeypatch):
    monkeypatch.setattr(lane, "PATIENCE_S", 0.02)
    for way in ways:
        way.app.body_s = 0.1
    answer, _ = await same(ways, VERIFY[:-5], pause=0.3, half_close=True)
    assert answer.startswith(b"HTTP/1.1 408 ")


async def test_a_client_that_leaves_before_its_body_is_complete_is_forgotten(ways):
    fast, _ = ways
    assert await fast.sent(VERIFY[:-5], half_close=True) == b""
    assert not fast.state.connections
    assert fast.app.asked == []


async def test_a_client_that_says_no_more_is_answered_all_the_same(ways):
    fast, _ = ways
    answer = await fast.sent(FAST + VERIFY, pause=0, half_close=True)
    assert answer.count(b"HTTP/1.1 200 OK") == 2


UPGRADE = b"GET /auth HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


async def test_a_forwarded_websocket_handshake_is_a_request_like_others(ways):
    fast, plain = ways
    for way in ways:
        answer = await way.sent(UPGRADE, END, pause=0.05)
        assert answer.count(b"HTTP/1.1 200 ") == 2
    assert await fast.sent(UPGRADE, END, pause=0.05) == await plain.sent(UPGRADE, END, pause=0.05)


async def test_what_follows_an_upgrade_with_a_body_is_no_request(ways):
    fast, _ = ways
    request_bytes = post(FAST, b"Connection: Upgrade", b"Upgrade: x")
    # The connection ends before the rest could be read as a request.
    answer = await fast.sent(request_bytes.removesuffix(FAST))
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"connection: close" in answer


# Connections


@pytest.fixture
def plug(ways):
    """A connection that reads only what it is told to."""
    fast, _ = ways
    with socket.socket(socket.AF_UNIX) as client:
        client.setblocking(False)
        client.connect(fast.path)
        yield client


async def test_a_client_that_does_not_read_is_not_answered_for_ever(ways, plug):
    fast, _ = ways
    fast.hot.big = b"x" * 50_000
    loop, sent = asyncio.get_running_loop(), 0
    try:
        async with asyncio.timeout(1):
            while True:
                await loop.sock_sendall(plug, FAST)
                sent += 1
                await asyncio.sleep(0.0005)
    except TimeoutError:
        pass
    [connection] = fast.state.connections
    assert connection.flow.write_paused
    assert connection.transport.get_write_buffer_size() < 500_000
    answered, got = fast.state.total_requests, b""
    assert answered < sent
    while got.count(b"HTTP/1.1 200 OK") < sent:
        got += await asyncio.wait_for(loop.sock_recv(plug, 1 << 20), 5)
    await asyncio.sleep(0.01)
    assert not connection.flow.write_paused
    assert fast.state.total_requests == sent


async def test_a_shutdown_closes_an_idle_connection_at_once(ways, plug):
    fast, _ = ways
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(plug, FAST)
    assert b" 200 OK" in await loop.sock_recv(plug, 65536)
    fast.connection.shutdown()
    assert await asyncio.wait_for(loop.sock_recv(plug, 65536), 1) == b""


async def test_a_shutdown_lets_a_body_come_and_answers_it(ways, plug):
    fast, _ = ways
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(plug, VERIFY[:-5])
    await asyncio.sleep(0.02)
    fast.connection.shutdown()
    await loop.sock_sendall(plug, VERIFY[-5:])
    answer = await asyncio.wait_for(loop.sock_recv(plug, 65536), 1)
    assert b" 200 OK" in answer
    assert b"connection: close" in answer
    assert await asyncio.wait_for(loop.sock_recv(plug, 65536), 1) == b""


@pytest.mark.parametrize("request_bytes", [FAST, SLOW, VERIFY], ids=["fast", "slow", "verify"])
async def test_an_idle_connection_is_closed_when_its_time_is_over(tmp_path, request_bytes):
    async with serving(tmp_path, fast=True, timeout_keep_alive=0.2) as way:
        began = asyncio.get_running_loop().time()
        answer = await way.sent(request_bytes, request_bytes, pause=0.1)
        assert answer.count(b"HTTP/1.1 200 OK") == 2
        assert 0.28 <= asyncio.get_running_loop().time() - began < 0.5


async def test_a_connection_is_not_idle_while_a_request_is_on_its_way(tmp_path):
    async with serving(tmp_path, fast=True, timeout_keep_alive=0.1) as way:
        answer = await way.sent(FAST, FAST[:20], FAST[20:], VERIFY[:-5], VERIFY[-5:] + END, pause=0.07)
        assert answer.count(b"HTTP/1.1 200 OK") == 4
        answer = await way.sent(FAST + FAST[:20], FAST[20:] + END, pause=0.2)
        assert answer.count(b"HTTP/1.1 200 OK") == 1 + 2
        assert not way.state.connections


HEAD_BEGUN = {
    "nothing": ([], 0, 0.3),
    "blank lines": ([b"\r\n"], 0, 0.3),
    "a byte": ([b"G"], 0, 0.1),
    "a part of a head": ([FAST[:20]], 0, 0.1),
    "a header": ([FAST[:-2]], 0, 0.1),
    "a head byte by byte": ([bytes([it]) for it in FAST[:5]], 0, 0.1),
    "a part after an answer": ([FAST + FAST[:20]], 1, 0.1),
    "a part after a slow answer": ([SLOW + FAST[:20]], 1, 0.1),
    "a part after an answer to a body": ([VERIFY[:-5], VERIFY[-5:] + FAST[:20]], 1, 0.1),
    "a part after a while": ([FAST, b"", b"", FAST[:20]], 1, 0.13),
}


@pytest.mark.parametrize(("parts", "answers", "seconds"), HEAD_BEGUN.values(), ids=HEAD_BEGUN)
async def test_a_head_that_is_never_complete_is_not_waited_for(
    tmp_path, monkeypatch, parts, answers, seconds
):
    monkeypatch.setattr(lane, "HEAD_S", 0.1)
    async with serving(tmp_path, fast=True, timeout_keep_alive=0.3) as way:
        began = asyncio.get_running_loop().time()
        answer = await way.sent(*parts, pause=0.01)
        assert answer.count(b"HTTP/1.1 200 OK") == answers
        assert seconds - 0.02 <= asyncio.get_running_loop().time() - began < seconds + 0.1
        assert not way.state.connections


async def test_an_answer_that_is_owed_is_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(lane, "HEAD_S", 0.001)
    async with serving(tmp_path, fast=True, timeout_keep_alive=0.001) as way:
        assert b" 200 OK" in await way.sent(SLOW + FAST[:20])
        assert b" 200 OK" in await way.sent(SLOW)


async def test_too_many_connections_are_refused_as_by_uvicorn(tmp_path):
    async with (
        serving(tmp_path, fast=True, limit_concurrency=1) as fast,
        serving(tmp_path, fast=False, limit_concurrency=1) as plain,
    ):
        answer, _ = await same((fast, plain), FAST)
        assert answer.startswith(b"HTTP/1.1 503 ")


# What the lane leans on


def test_uvicorn_has_the_parts_the_lane_leans_on():
    names = {
        name: [*inspect.signature(getattr(HttpToolsProtocol, name)).parameters]
        for name in (
            "__init__",
            "connection_made",
            "data_received",
            "connection_lost",
            "shutdown",
            "timeout_keep_alive_handler",
            "_unset_keepalive_if_required",
            "on_message_begin",
            "on_header",
            "on_headers_complete",
            "on_body",
            "on_message_complete",
            "on_response_complete",
        )
    }
    assert names == {
        "__init__": ["self", "config", "server_state", "app_state", "_loop"],
        "connection_made": ["self", "transport"],
        "data_received": ["self", "data"],
        "connection_lost": ["self", "exc"],
        "shutdown": ["self"],
        "timeout_keep_alive_handler": ["self"],
        "_unset_keepalive_if_required": ["self"],
        "on_message_begin": ["self"],
        "on_header": ["self", "name", "value"],
        "on_headers_complete": ["self"],
        "on_body": ["self", "body"],
        "on_message_complete": ["self"],
        "on_response_complete": ["self"],
    }
    config = uvicorn.Config(App(Hot()), lifespan="off", ws="none", log_config=None)
    config.load()
    protocol = HttpToolsProtocol(config, ServerState(), {}, uvloop.new_event_loop())
    for name in ("url", "headers", "transport", "client", "flow", "cycle", "pipeline"):
        assert name in vars(protocol) or name == "url", name
    assert protocol.limit_concurrency is None
    assert protocol.timeout_keep_alive_task is None
    assert protocol.timeout_keep_alive == 5
    assert protocol.server_state.total_requests == 0
    assert protocol.server_state.default_headers == []
    assert isinstance(protocol.parser, HttpRequestParser)
    assert {"should_keep_alive", "should_upgrade", "get_method", "get_http_version"} <= {
        *dir(protocol.parser)
    }
    assert "write_paused" in inspect.getsource(FlowControl.__init__)
    assert {"response_complete", "keep_alive"} <= {
        *inspect.getsource(RequestResponseCycle.__init__).split(".")
    } | {
        word
        for word in ("response_complete", "keep_alive")
        if word in inspect.getsource(RequestResponseCycle)
    }
    assert STATUS_LINE[200] == b"HTTP/1.1 200 OK\r\n"
    protocol.loop.close()
