"""Logging: structlog and the standard library's loggers through one door, without a secret token.

JSON lines for machines, readable ones for people; instants in UTC. Tracebacks never show local variables.
"""

import logging
import re
import sys
import traceback
from contextlib import suppress
from typing import TextIO

import structlog
from structlog.stdlib import ProcessorFormatter
from structlog.typing import Processor

# Not only whole tokens: one that lost its end is as good, since the end is a checksum.
# In a path it may also be escaped, once or more often.
_JOINT = r"(?:_|%(?:25)*5[Ff])"
_TOKEN = re.compile(
    rf"([a-z][a-z0-9]{{1,15}}{_JOINT}(?:sk|rk){_JOINT}(?:live|test){_JOINT}[0-9A-Za-z]{{4}})[0-9A-Za-z]+"
)
# What opens one of our links; only ever in a query, or in one that is a value in another's, and escaped.
_SECRET = re.compile(r"(secret(?:=|%(?:25)*3[Dd]))[0-9A-Za-z]+")
_SHARED: tuple[Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    # The standard traceback, where Rich's would show local variables.
    structlog.processors.format_exc_info,
)

# Their INFO is noise to an operator, or says what was asked of whom.
_QUIET = ("alembic", "httpx", "httpcore")
_REROUTED = ("uvicorn", "uvicorn.error", "uvicorn.asgi", "alembic")
_ACCESS = "uvicorn.access"


def configure_logging(*, json: bool, stream: TextIO, quiet: bool = False) -> None:
    """Send every log line of this process to `stream`; `quiet` lets only warnings and worse pass.

    Calling it again starts afresh.
    """
    least = logging.WARNING if quiet else logging.INFO
    structlog.configure(
        processors=[*_SHARED, ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(least),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = _Handler(stream)
    handler.setFormatter(_json_formatter() if json else _text_formatter(colors=stream.isatty()))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(least)
    _route()


def mask_tokens(text: str, ellipsis: str = "…") -> str:
    """`text` with each secret or root token of our format, or a part of one, cut to its readable start.

    The secret of a link's address is cut out whole.
    """
    masked = _TOKEN.sub(lambda found: found[1] + ellipsis, text)
    return _SECRET.sub(lambda found: found[1] + ellipsis, masked)


def has_token(text: str) -> bool:
    """Whether a secret or root token of our format, or a part of one, is in `text`."""
    return _TOKEN.search(text) is not None


class _Handler(logging.StreamHandler[TextIO]):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name
        # The library's own way would print the record's arguments unmasked.
        with suppress(OSError, ValueError):
            sys.stderr.write(
                mask_tokens(f"A line of {record.name} was not logged.\n{traceback.format_exc()}")
            )


class _Formatter(ProcessorFormatter):
    """Masks the whole line when all is in it: event, fields, nested values and traceback alike."""

    def __init__(self, renderer: Processor, ellipsis: str) -> None:
        super().__init__(
            processors=[ProcessorFormatter.remove_processors_meta, renderer], foreign_pre_chain=_SHARED
        )
        self._ellipsis = ellipsis

    def format(self, record: logging.LogRecord) -> str:
        return mask_tokens(super().format(record), self._ellipsis)


def _json_formatter() -> _Formatter:
    return _Formatter(structlog.processors.JSONRenderer(), "\\u2026")


def _text_formatter(*, colors: bool) -> _Formatter:
    plain = structlog.dev.plain_traceback
    return _Formatter(structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=plain), "…")


def _route() -> None:
    for name in _REROUTED:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    access = logging.getLogger(_ACCESS)
    access.handlers.clear()
    # Without handlers uvicorn does not even put its line together.
    access.propagate = False
    access.disabled = True
