"""The nodes that verify keys."""

from litestar import Router, get

from keystead.api.desk import AtDesk
from keystead.api.routes.answers import errors
from keystead.api.views import view_node
from keystead.api.wire import ListView, NodeView
from keystead.services.nodes import list_nodes


@get("/nodes", responses=errors())
async def get_nodes(desk: AtDesk) -> ListView[NodeView]:
    """List all nodes, by name: how far each has applied what was changed, and when it was last seen."""
    listed = await list_nodes(desk.context, desk.actor)
    return ListView(items=[view_node(it) for it in listed], next_cursor=None)


NODE_ROUTES = Router(path="/", tags=["Nodes"], route_handlers=[get_nodes])
