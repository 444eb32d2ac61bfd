"""Verify and forward-auth, answered without waiting: the same function for both ways in."""

from collections.abc import Iterator
from time import perf_counter_ns

from structlog.contextvars import bound_contextvars

from keystead.api.answer import Answer, problem_answer, template
from keystead.api.desk import Door
from keystead.api.forward_auth import PROFILES, ForwardAuth
from keystead.api.problem import missing_problem
from keystead.api.problems import told
from keystead.api.surface import Surface, serves
from keystead.api.verify import Verify
from keystead.web.facts import peer
from keystead.web.head import Head

VERIFY_PATH = "/api/v1/verify"


class Hot:
    """Answers for one process, on its event loop's thread. `ids` gives each answer its request id.

    An answer is whole: only Content-Length, Date and Connection are its sender's to add.
    """

    def __init__(self, door: Door, ids: Iterator[str], surface: Surface = Surface.ALL) -> None:
        self._places = door.places
        self._auth_times = door.metrics.times("auth")
        self._verify_times = door.metrics.times("verify")
        self._ids = ids
        self._surface = surface
        self._paths = frozenset(path for path in (*PROFILES, VERIFY_PATH) if serves(surface, path))
        self._verify = Verify(door)
        self._profiles = {
            path: ForwardAuth(
                profile,
                context=door.context,
                metrics=door.metrics,
                places=door.places,
                trusted_proxies=door.trusted_proxies,
            )
            for path, profile in PROFILES.items()
        }
        self._trusted_proxies = door.trusted_proxies
        self._nothing = template(missing_problem(""))

    def takes(self, method: str, path: str) -> bool:
        """Whether a request is answered here, by its method and raw path."""
        return path in self._paths and (path != VERIFY_PATH or method == "POST")

    def wants_body(self, head: Head) -> int | None:
        """The most bytes that the body may have; None when the answer needs no body.

        Its sender need not read on once there are more: what it has by then is answered with 413.
        """
        return self._verify.wants_body(head) if head.path == VERIFY_PATH else None

    def answer(self, head: Head, body: bytes) -> Answer:
        """The whole answer to a request that this takes; raises nothing."""
        began = perf_counter_ns()
        request_id = next(self._ids)
        forward_auth = self._profiles.get(head.path)
        try:
            if forward_auth is None:
                answer = self._verify.answer(head, body, request_id)
            elif self._trusts(head.client):
                answer = forward_auth.answer(head, request_id)
            else:
                answer = self._nothing.filled(request_id)
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets an answer
            answer = self._of_error(error, request_id, forward_auth)
        times = self._verify_times if forward_auth is None else self._auth_times
        times.observe(answer.status, perf_counter_ns() - began)
        return answer

    def failed(self, error: Exception, elapsed_ns: int) -> Answer:
        """The answer to a call of verify whose body could not be read, because of `error`."""
        answer = self._of_error(error, next(self._ids))
        self._verify_times.observe(answer.status, elapsed_ns)
        return answer

    def _of_error(self, error: Exception, request_id: str, profile: ForwardAuth | None = None) -> Answer:
        with bound_contextvars(request_id=request_id):
            problem, headers = told(error, request_id, self._places)
        said = [*(headers or {}).items()]
        return problem_answer(problem, said) if profile is None else profile.told(problem, said)

    def _trusts(self, client: tuple[str, int] | None) -> bool:
        """Whether who connects may ask forward-auth; whoever reaches our internal Unix socket may."""
        if client is None:
            return self._surface is Surface.INTERNAL
        return peer(client[0], self._trusted_proxies).trusted
