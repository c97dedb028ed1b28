"""Passwords: argon2id, hashed beside the event loop and never on it."""

import asyncio
import functools
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

THREADS = 2
"""Verifications at a time: each takes 19 MiB and tens of milliseconds of a core. A rush of logins waits in line."""

_HASHER = PasswordHasher(memory_cost=19 * 1024, time_cost=2, parallelism=1)  # OWASP's minimum for argon2id


@functools.cache
def hash_demo(password: str) -> str:
    """Hash the seeded accounts' password with a fixed salt, so that seeded rows are the same each time."""
    return _HASHER.hash(password, salt=b"portal-demo-salt")


class Passwords:
    """Verifies passwords in threads of its own."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="portal-password")
        self.turn = asyncio.Semaphore(THREADS)
        """Held by who has something to do directly before its verification."""
        self._decoy = hash_demo("nobody has this password")

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Say whether `password` belongs to `password_hash`.

        For an unknown user (None) a decoy is verified, so that the time taken does not tell who exists.
        """
        loop = asyncio.get_running_loop()
        matches = await loop.run_in_executor(self._threads, self._verify, password_hash or self._decoy, password)
        return matches and password_hash is not None

    def close(self) -> None:
        """Let the threads go."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    @staticmethod
    def _verify(password_hash: str, password: str) -> bool:
        try:
            return _HASHER.verify(password_hash, password)
        except (VerificationError, InvalidHashError, UnicodeEncodeError):
            return False
