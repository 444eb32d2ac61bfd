"""The OpenAPI 3.1 document, and the page that shows it (Swagger UI's own files, nothing from elsewhere)."""

from litestar import Router
from litestar.openapi import OpenAPIConfig

DOCUMENT_PATH = "/api/openapi.json"


def openapi_config() -> OpenAPIConfig:
    """How the framework makes the document."""
    return OpenAPIConfig(title="Keystead", version="1", path="/api", create_examples=False)


DOCUMENT_ROUTES = Router(path="/api/docs", route_handlers=[])
