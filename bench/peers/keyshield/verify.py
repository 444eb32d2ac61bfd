"""How fast keyshield's verify_key is: verify.py DATABASE KEYS VERIFIES; prints JSON.

The fastest it offers on SQLite: its cache in memory, filled, so that a look-up is one SHA-256 and no Argon2;
its delay of 100 to 300 ms an answer is off. It checks state, expiry and one scope, and writes the last use
into the key's row, as it always does. One session and one commit a verification, as its FastAPI example has
it; the database is in WAL mode and does not wait for the disk at each commit.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterable

import uvloop
from aiocache import SimpleMemoryCache
from argon2 import PasswordHasher
from keyshield.domain.errors import ApiKeyError
from keyshield.hasher.argon2 import Argon2ApiKeyHasher
from keyshield.repositories.sql import Base, SqlAlchemyApiKeyRepository
from keyshield.services.cached import CachedApiKeyService
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

DATABASE, KEYS, VERIFIES = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
TOGETHER = 32
SCOPES = [f"resource{i}:{method}" for i in range(10) for method in ("GET", "POST")]
# Only to make the keys: once they are in the cache, Argon2 is not asked again.
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
HASHER = Argon2ApiKeyHasher(pepper="bench", password_hasher=CHEAP)
CACHE = SimpleMemoryCache()


def service_on(session: AsyncSession) -> CachedApiKeyService:
    """The service of one request."""
    repository = SqlAlchemyApiKeyRepository(session)
    return CachedApiKeyService(
        repository, HASHER, cache=CACHE, cache_ttl=3600, min_delay=0, max_delay=0, separator="."
    )


async def open_database() -> tuple[AsyncEngine, async_sessionmaker[AsyncSession]]:
    """An empty database with the package's table."""
    engine = create_async_engine(f"sqlite+aiosqlite:///{DATABASE}")

    @event.listens_for(engine.sync_engine, "connect")
    def _set(connection: object, _record: object) -> None:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")

    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    return engine, async_sessionmaker(engine, expire_on_commit=False)


async def measure() -> dict[str, float]:
    """Make the keys, fill the cache, measure."""
    engine, sessions = await open_database()
    async with sessions() as session:
        service = service_on(session)
        keys = [(await service.create(name="Bench", scopes=SCOPES))[1] for _ in range(KEYS)]
        await session.commit()

    async def verify(i: int) -> None:
        async with sessions() as session:
            key = keys[i * 7919 % KEYS]
            await service_on(session).verify_key(key, required_scopes=["resource7:GET"])
            await session.commit()

    async def worker(numbers: Iterable[int]) -> None:
        for i in numbers:
            await verify(i)

    async with sessions() as session:
        try:
            await service_on(session).verify_key(f"{keys[0]}x")
        except ApiKeyError:
            pass
        else:
            raise RuntimeError("accepted a wrong key")
    await worker(range(KEYS))
    took = []
    began = time.perf_counter()
    for i in range(VERIFIES):
        before = time.perf_counter()
        await verify(i)
        took.append((time.perf_counter() - before) * 1e6)
    alone = VERIFIES / (time.perf_counter() - began)
    took.sort()
    numbers = iter(range(VERIFIES))
    began = time.perf_counter()
    await asyncio.gather(*(worker(numbers) for _ in range(TOGETHER)))
    together = VERIFIES / (time.perf_counter() - began)
    await engine.dispose()
    return {
        "one_by_one_per_second": alone,
        "together_per_second": together,
        "p50_us": took[VERIFIES // 2],
        "p99_us": took[VERIFIES * 99 // 100],
    }


print(json.dumps(uvloop.run(measure())))
