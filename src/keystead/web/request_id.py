"""The id of a request: our log has it, and every answer."""

from typing import Any

from litestar.connection import ASGIConnection

REQUEST_ID = "keystead.request_id"
"""Where the ASGI scope keeps it."""


def request_id(connection: ASGIConnection[Any, Any, Any, Any]) -> str:
    """The id of this request."""
    return str(connection.scope.get(REQUEST_ID, "-"))
