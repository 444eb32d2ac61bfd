"""The parts of every wiring: clock, database, files, and the context that services work with."""

import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from keystead.dashboard.words import CatalogWords
from keystead.domain.ids import ID_ENTROPY_BYTES, IdKind, NodeId, make_id
from keystead.domain.instants import MILLISECOND, at
from keystead.people.mail import SmtpMail
from keystead.people.passwords import Argon2Passwords
from keystead.people.throttles import SharedThrottles
from keystead.ports.replica import Replica
from keystead.replica.files import Files, Folder
from keystead.replica.stamp import Stamp
from keystead.services.context import Bounds, Context, Freshness, People, Seals
from keystead.services.guessing import Guessing
from keystead.settings import Settings
from keystead.settings.parsing import SignUp
from keystead.storage.data import DATABASE, generated_secret_key, kept_node_id, replica_folder
from keystead.storage.sql.engine import make_engine
from keystead.storage.sql.store import SqlStore
from keystead.usage.counter import UseCounter

_SECRET_KEY_BYTES = 32


def now_ms() -> int:
    """The wall clock, in whole milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def now() -> datetime:
    """The wall clock, as aware UTC in whole milliseconds."""
    return at(now_ms())


def primary_of(settings: Settings) -> str | Path:
    """The URL of PostgreSQL, or the path of the SQLite file."""
    return settings.database_url or settings.data / DATABASE


def engine_of(settings: Settings, **options: None) -> AsyncEngine:
    """An engine for the primary; whoever asks disposes of it. `options` are `make_engine`'s."""
    return make_engine(primary_of(settings), **options)


@contextmanager
def replica_files(settings: Settings) -> Iterator[tuple[Files, Stamp]]:
    """The replica of the data directory, whose folder is made if it is not there."""
    files = Files(Folder(replica_folder(settings.data)))
    stamp = Stamp(files.folder.stamp)
    try:
        yield files, stamp
    finally:
        files.close()
        stamp.close()


def _secret_key(settings: Settings) -> bytes:
    if settings.secret_key is not None:
        return settings.secret_key.encode()
    return generated_secret_key(settings.data, secrets.token_bytes(_SECRET_KEY_BYTES))


def people_of(settings: Settings, seals: Seals) -> People:
    """How people sign in here."""
    mail = None
    if settings.smtp_url is not None:
        mail = SmtpMail(settings.smtp_url, settings.sender)
    return People(
        passwords=Argon2Passwords(secrets.token_bytes),
        words=CatalogWords(),
        mail=mail,
        address=settings.address,
        product_name=settings.product_name,
        session_lifetime=settings.session_lifetime,
        sign_up_open=settings.signup is SignUp.OPEN,
        return_urls=settings.return_urls or (),
        guessing=Guessing(SharedThrottles(replica_folder(settings.data), partial(seals.seal, "throttle"))),
    )


def context_of(settings: Settings, store: SqlStore, counter: UseCounter, replica: Replica) -> Context:
    """The seams and settings that services work with. The secret key and the node's id are made if absent."""
    seals = Seals(_secret_key(settings))
    fresh_id = make_id(IdKind.NODE, secrets.token_bytes(ID_ENTROPY_BYTES))
    return Context(
        store=store,
        replica=replica,
        uses=counter,
        clock_ms=now_ms,
        entropy=secrets.token_bytes,
        seals=seals,
        people=people_of(settings, seals),
        bounds=Bounds(
            keys_per_owner=settings.max_keys_per_app,
            apps_per_organization=settings.max_apps_per_organization,
            members_per_organization=settings.max_members_per_organization,
        ),
        freshness=Freshness(
            fresh_for_ms=settings.fresh_for // MILLISECOND,
            stale_limit_ms=settings.stale_limit // MILLISECOND,
        ),
        token_prefix=settings.token_prefix,
        node_id=NodeId(kept_node_id(settings.data, fresh_id)),
        node_name=settings.node_name or socket.gethostname(),
    )
