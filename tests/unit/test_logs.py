"""Logging: one shape for every line, and no secret token in any of them."""

import io
import json
import logging
import re
import sys

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from keystead.domain.keys import Environment
from keystead.domain.tokens import TokenKind, make_token
from keystead.logs import configure_logging, mask_tokens

SECRET = make_token("acme", TokenKind.SECRET, Environment.LIVE, bytes(range(32)))
ROOT = make_token("ks", TokenKind.ROOT, Environment.TEST, bytes(range(1, 33)))
PUBLIC = make_token("ks", TokenKind.PUBLIC, Environment.LIVE, bytes(32))
LIBRARIES = ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi", "alembic", "httpx", "httpcore")


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def _logging_as_before():
    loggers = [logging.getLogger(name) for name in (None, *LIBRARIES)]
    before = [(log, log.handlers[:], log.level, log.propagate, log.disabled) for log in loggers]
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    for log, handlers, level, propagate, disabled in before:
        log.handlers[:] = handlers
        log.setLevel(level)
        log.propagate, log.disabled = propagate, disabled


@pytest.fixture
def lines():
    """What was logged as JSON, so far."""
    stream = io.StringIO()
    configure_logging(json=True, stream=stream)
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


def raising():
    held = SECRET.reveal()
    message = f"bad token {held}"
    raise ValueError(message)


def failing_deeply():
    hidden_local = "a local of the frame"
    assert hidden_local
    try:
        raising()
    except ValueError as exc:
        exc.add_note(f"noted: {ROOT.reveal()}")
        raise RuntimeError("outer") from exc


def test_a_json_line_has_event_level_instant_logger_and_what_was_bound(lines):
    structlog.contextvars.bind_contextvars(request_id="req_1")
    structlog.get_logger("keystead.test").warning("node-lagging", lag_s=3)
    (line,) = lines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", line.pop("timestamp"))
    assert line == {
        "event": "node-lagging",
        "level": "warning",
        "lag_s": 3,
        "logger": "keystead.test",
        "request_id": "req_1",
    }


def test_the_standard_library_speaks_in_the_same_shape(lines):
    structlog.contextvars.bind_contextvars(request_id="req_1")
    logging.getLogger("uvicorn.error").info("Started %s", "process")
    logging.getLogger("alembic.runtime.migration").warning("Running upgrade")
    first, second = lines()
    assert first.pop("timestamp").endswith("Z")
    assert first == {
        "event": "Started process",
        "level": "info",
        "logger": "uvicorn.error",
        "request_id": "req_1",
    }
    assert second["logger"] == "alembic.runtime.migration"


def test_a_line_of_json_has_no_line_break_and_only_ascii():
    stream = io.StringIO()
    configure_logging(json=True, stream=stream)
    structlog.get_logger().info("müde\nzeile", token=SECRET.reveal())
    assert stream.getvalue().isascii()
    assert stream.getvalue().count("\n") == 1


def test_debug_and_requests_of_others_are_left_out(lines):
    structlog.get_logger().debug("noise")
    logging.getLogger("uvicorn.error").debug("noise")
    logging.getLogger("httpx").info("HTTP Request: GET https://example.com/")
    assert lines() == []


def test_quiet_lets_warnings_pass_and_no_less():
    stream = io.StringIO()
    configure_logging(json=True, stream=stream, quiet=True)
    for log in (structlog.get_logger(), logging.getLogger("alembic")):
        log.info("noise")
        log.warning("wanted")
    assert "noise" not in stream.getvalue()
    assert stream.getvalue().count("wanted") == 2


def test_uvicorn_logs_no_access_even_if_it_had_set_up_itself():
    access = logging.getLogger("uvicorn.access")
    access.addHandler(logging.StreamHandler(io.StringIO()))
    logging.getLogger("uvicorn").addHandler(logging.StreamHandler(io.StringIO()))
    stream = io.StringIO()
    configure_logging(json=True, stream=stream)
    access.info('127.0.0.1 - "GET /apikey/x HTTP/1.1" 200')
    assert stream.getvalue() == ""
    # What uvicorn asks before it makes a line.
    assert not access.hasHandlers()
    assert logging.getLogger("uvicorn").handlers == []


def test_configuring_again_sends_each_line_once_and_to_the_new_stream():
    first, second = io.StringIO(), io.StringIO()
    configure_logging(json=True, stream=first)
    configure_logging(json=True, stream=second)
    structlog.get_logger().info("once")
    assert first.getvalue() == ""
    assert second.getvalue().count("once") == 1


@pytest.mark.parametrize("make_stream", [io.StringIO, Terminal])
def test_a_line_for_people_is_no_json_and_has_colours_on_a_terminal_only(make_stream):
    stream = make_stream()
    configure_logging(json=False, stream=stream)
    structlog.get_logger("keystead.test").info("node-joined", node="nod_1")
    text = stream.getvalue()
    assert not text.startswith("{")
    assert ("\x1b[" in text) == stream.isatty()
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert "info" in plain
    assert "node-joined" in plain
    assert "node=nod_1" in plain


WAYS = {
    "event": lambda log, token: log.info(f"got {token}"),  # noqa: G004 - what must not leak
    "argument": lambda log, token: log.info("got %s", token),
    "field": lambda log, token: log.info("got", token=token),
    "in the middle of a field": lambda log, token: log.info("got", url=f"https://h/apikey/{token}/v1?x=1"),
    "nested field": lambda log, token: log.info("got", body={"a": [{"b": token}]}),
    "key": lambda log, token: log.info("got", **{token: 1}),
    "bytes": lambda log, token: log.info("got", raw=token.encode()),
    "exception object": lambda log, token: log.info("got", error=ValueError(token)),
    "repr of an object": lambda log, token: log.info(
        "got", namespace=type("N", (), {"__repr__": lambda _: token})()
    ),
    "after a line break": lambda log, token: log.info("got", text=f"a\n{token}\tb"),
    "bound context": lambda log, token: log.bind(token=token).info("got"),
    "context variable": lambda log, token: (
        structlog.contextvars.bind_contextvars(presented=token),
        log.info("got"),
    ),
    "standard library": lambda _, token: logging.getLogger("asyncio").warning("got %r", {"t": token}),
    "uvicorn": lambda _, token: logging.getLogger("uvicorn.error").error("bad header %s", token),
}


@pytest.mark.parametrize("as_json", [True, False], ids=["json", "text"])
@pytest.mark.parametrize("make_stream", [io.StringIO, Terminal], ids=["pipe", "terminal"])
@pytest.mark.parametrize("token", [SECRET, ROOT], ids=["secret", "root"])
@pytest.mark.parametrize("way", WAYS)
def test_a_token_is_cut_to_its_start_whichever_way_it_comes(way, token, make_stream, as_json):
    stream = make_stream()
    configure_logging(json=as_json, stream=stream)
    WAYS[way](structlog.get_logger(), token.reveal())
    text = stream.getvalue()
    assert token.start in text
    assert token.reveal()[-34:] not in text
    assert token.reveal()[len(token.start) :][:4] not in text
    if as_json:
        assert f"{token.start}…" in str(json.loads(text))


def test_a_token_that_lost_its_end_is_cut_too(lines):
    structlog.get_logger().info("got", token=SECRET.reveal()[:-6])
    assert lines()[0]["token"] == f"{SECRET.start}…"


@pytest.mark.parametrize("joint", ["%5f", "%5F", "%255f", "%25255F"])
def test_a_token_escaped_in_a_path_is_cut_too(joint):
    parts = ["ks", "sk", "live", "0123456789abcdef"]
    assert "456789" not in mask_tokens(f"GET /x/{joint.join(parts)}?y")


def test_the_secret_of_a_link_is_cut_out_whole():
    secret = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"
    address = f"https://keys.example.com/link?secret={secret}&x=1"
    assert mask_tokens(address) == "https://keys.example.com/link?secret=…&x=1"
    way_back = f"/sign-in?next=%2Flink%3Fsecret%3D{secret}"
    assert mask_tokens(way_back) == "/sign-in?next=%2Flink%3Fsecret%3D…"


def test_public_tokens_and_starts_are_left_as_they_are():
    for text in (PUBLIC.reveal(), SECRET.start, f"{SECRET.start}…{SECRET.last4}", repr(SECRET)):
        assert mask_tokens(text) == text


@given(
    before=st.text(max_size=20),
    after=st.text(max_size=20),
    token=st.builds(
        make_token,
        prefix=st.from_regex(r"\A[a-z][a-z0-9]{1,15}\Z"),
        kind=st.sampled_from([TokenKind.SECRET, TokenKind.ROOT]),
        environment=st.sampled_from(Environment),
        entropy=st.binary(min_size=32, max_size=32),
    ),
)
def test_no_token_survives_whatever_stands_around_it(before, after, token):
    masked = mask_tokens(before + token.reveal() + after)
    assert f"{token.start}…" in masked
    assert token.reveal() not in masked


@pytest.mark.parametrize("as_json", [True, False], ids=["json", "text"])
@pytest.mark.parametrize("make_stream", [io.StringIO, Terminal], ids=["pipe", "terminal"])
@pytest.mark.parametrize("by_library", [True, False], ids=["standard library", "structlog"])
def test_a_traceback_shows_its_lines_without_locals_and_tokens(make_stream, as_json, by_library):
    stream = make_stream()
    configure_logging(json=as_json, stream=stream)
    log = logging.getLogger("uvicorn.error") if by_library else structlog.get_logger()
    try:
        failing_deeply()
    except RuntimeError:
        log.exception("request-failed")
    text = stream.getvalue()
    assert "RuntimeError: outer" in text
    assert "in failing_deeply" in text
    assert f"bad token {SECRET.start}" in text
    assert f"noted: {ROOT.start}" in text
    assert SECRET.reveal() not in text
    assert ROOT.reveal() not in text
    # The source line names the variable; its value stands only in the frame.
    assert text.count("a local of the frame") == 0
    if as_json:
        (line,) = [json.loads(text)]
        assert line["level"] == "error"
        assert line["exception"].startswith("Traceback")


def test_a_line_that_cannot_be_written_is_told_of_without_its_token(monkeypatch):
    errors = io.StringIO()
    configure_logging(json=True, stream=io.StringIO())
    monkeypatch.setattr(sys, "stderr", errors)
    structlog.get_logger("keystead.test").info("got", table={(SECRET.reveal(),): SECRET.reveal()})
    assert "A line of keystead.test was not logged" in errors.getvalue()
    assert "TypeError" in errors.getvalue()
    assert SECRET.reveal() not in errors.getvalue()
