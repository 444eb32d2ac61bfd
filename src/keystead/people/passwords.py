"""Passwords, hashed with Argon2id by argon2-cffi, in threads of their own, at most two at once a process."""

import asyncio
import base64
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import Parameters, PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError
from argon2.profiles import RFC_9106_LOW_MEMORY

from keystead.domain.errors import Unavailable
from keystead.ports.chance import Entropy

AT_ONCE = 2
"""Hashes under way at once: 64 MiB each, and the cores are there to verify keys."""

MOST_WAITING = 64
"""Beyond these nobody waits: each would be answered only after the seconds that the others take."""

T = TypeVar("T")


class Argon2Passwords:
    """Implements `ports.people.Passwords`.

    The profile is the library's default, RFC 9106's second recommended: 64 MiB, three passes, four lanes. The
    first takes 2 GiB a hash, which a service that shares its machine cannot spare.
    """

    def __init__(self, entropy: Entropy, profile: Parameters = RFC_9106_LOW_MEMORY) -> None:
        self._hasher = PasswordHasher.from_parameters(profile)
        self._entropy = entropy
        self._nobodys = _nobodys(profile, entropy)
        self._salt_bytes = profile.salt_len
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="password")
        self._waiting = 0

    async def hash(self, password: str) -> str:
        """See `ports.people.Passwords`."""
        salt = self._entropy(self._salt_bytes)
        return await self._beside(lambda: self._hasher.hash(password, salt=salt))

    async def verify(self, hashed: str | None, password: str | None) -> bool:
        """See `ports.people.Passwords`. One of another cost than today's takes as long as it takes."""
        if hashed is None or password is None:
            await self._beside(lambda: self._matches(self._nobodys, ""))
            return False
        return await self._beside(lambda: self._matches(hashed, password))

    def needs_rehash(self, hashed: str) -> bool:
        """See `ports.people.Passwords`."""
        return self._hasher.check_needs_rehash(hashed)

    async def _beside(self, work: Callable[[], T]) -> T:
        if self._waiting >= MOST_WAITING:
            raise Unavailable("password check", "too many wait for it")
        self._waiting += 1
        running = asyncio.get_running_loop().run_in_executor(self._threads, work)
        # Not when the one who asked has gone: the thread is busy until it has done its work.
        running.add_done_callback(self._done)
        return await asyncio.shield(running)

    def _done(self, running: "asyncio.Future[T]") -> None:
        self._waiting -= 1
        if not running.cancelled():
            running.exception()  # looked at, lest asyncio complain of it

    def _matches(self, hashed: str, password: str) -> bool:
        try:
            return self._hasher.verify(hashed, password)
        except VerifyMismatchError:
            return False
        except (InvalidHashError, VerificationError):
            pass
        # Outside the handler, whose error would become the context.
        raise AssertionError("a password's hash cannot be read")


def _nobodys(profile: Parameters, entropy: Entropy) -> str:
    """The hash of a password that nobody has, and that took no hashing: chance in place of the result."""
    cost = f"m={profile.memory_cost},t={profile.time_cost},p={profile.parallelism}"
    salt, hashed = (_base64(entropy(length)) for length in (profile.salt_len, profile.hash_len))
    return f"$argon2id$v={profile.version}${cost}${salt}${hashed}"


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode().rstrip("=")
