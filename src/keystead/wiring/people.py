"""The first operator: whom the settings name, else whoever opens the set-up link."""

import structlog

from keystead.domain.errors import Conflict, Misconfigured, Unavailable
from keystead.replica.index import ReplicaIndex
from keystead.services.context import Context
from keystead.services.links import link_url
from keystead.services.set_up import make_set_up_link, set_up_by_settings
from keystead.settings import Settings
from keystead.storage.sql.store import SqlStore
from keystead.usage.counter import UseCounter
from keystead.wiring.parts import context_of, engine_of, replica_files

_LOG = structlog.get_logger()


async def first_operator(settings: Settings) -> str | None:
    """Make the operator whom the settings name, unless there is one; without such settings, a set-up link.

    Returns the link's address, to be shown to whoever starts the server and nowhere else; None when there is
    an operator, and when the database is away: keys go on being judged without. It must be set up. Raises
    Misconfigured.
    """
    engine = engine_of(settings)
    try:
        with replica_files(settings) as (files, stamp):
            context = context_of(settings, SqlStore(engine), UseCounter(), ReplicaIndex(files, stamp))
            return await _first_operator(settings, context)
    except Unavailable as error:
        _LOG.warning("no operator was looked for: restart once it is back", problem=str(error))
        return None
    finally:
        await engine.dispose()


async def _first_operator(settings: Settings, context: Context) -> str | None:
    if settings.admin_email is not None and settings.admin_password is not None:
        try:
            await set_up_by_settings(context, email=settings.admin_email, password=settings.admin_password)
        except Conflict:
            problem = "is a user's already: give another, or unset it and use the set-up link"
            raise Misconfigured("KEYSTEAD_ADMIN_EMAIL", problem) from None
        return None
    secret = await make_set_up_link(context)
    return None if secret is None else link_url(context, secret)
