"""Verify: may this key do this, here, now. Answers without waiting, from this node's replica."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from urllib.parse import parse_qsl

import msgspec
from litestar.exceptions import (
    ClientException,
    SerializationException,
    ValidationException,
)
from litestar.serialization import decode_json

from keystead.api.answer import Answer, header_lines, last_lines
from keystead.api.body import strictly
from keystead.api.by_policy import ByPolicy
from keystead.api.desk import Door, require_known_query, require_rate
from keystead.api.problems import LargeBody
from keystead.api.routes.verify import CheckView, TenantFacts, VerifyRequest
from keystead.api.wire import OwnerView
from keystead.domain.demands import make_demands
from keystead.domain.errors import InvalidInput, Unavailable
from keystead.domain.ids import KeyId
from keystead.domain.instants import NEVER, at
from keystead.domain.networks import Address
from keystead.domain.policy import Policy, Tenant
from keystead.domain.powers import Power, RootKey, holds, principal_of
from keystead.domain.tokens import Token, presentable
from keystead.domain.verdict import Attempt, Demands, Known, Reason, Verdict
from keystead.services.access import require
from keystead.services.authenticate import KeyRefused, authenticate
from keystead.services.verify import Check, explain_verify, verify
from keystead.web.facts import (
    Heard,
    TokenPlaces,
    address_of,
    caller_address,
    has_override,
    heard,
    only,
    peer,
)
from keystead.web.head import Head

MAX_BODY_BYTES = 1024 * 1024
OWN_PATH = "/verify"
"""What the constraints of a key that calls this are judged on."""

# Less is read in any case, as one piece with the head: so much comes before anybody is judged.
_SMALL_BODY_BYTES = 16 * 1024
_DIGITS_READ = 20
_BEYOND_ALL_AGES_MS = 2**62
_LINES = header_lines([("Content-Type", "application/json"), ("Cache-Control", "no-store")])

_decode = msgspec.json.Decoder(VerifyRequest).decode
_encode = msgspec.json.Encoder().encode


class Verify:
    """Answers `POST /api/v1/verify`. What is wrong with a call is raised, as in the other routes."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._context = door.context
        self._token_places = TokenPlaces(door.places)
        # Who calls is judged on what was last known: all that a stale node then tells it is STALE.
        patient = replace(door.context.freshness, stale_limit_ms=_BEYOND_ALL_AGES_MS)
        self._to_admit = replace(door.context, freshness=patient)
        self._may_verify = ByPolicy(_may_verify)
        self._texts = ByPolicy(_texts)

    def wants_body(self, head: Head) -> int | None:
        """The most bytes that the body may have, or None: a large one is not wanted of who is refused."""
        values = heard(head.headers)
        length = _announced(values)
        if length is not None and length <= _SMALL_BODY_BYTES:
            return MAX_BODY_BYTES
        too_large = length is not None and length > MAX_BODY_BYTES
        return None if too_large or self._refuses(head, values) else MAX_BODY_BYTES

    def answer(self, head: Head, body: bytes, request_id: str) -> Answer:
        """Judge who asks, then what is asked about; a refused key is an answer.

        Raises KeyRefused, TooManyCalls, Denied, InvalidInput and Unavailable; LargeBody and, as the framework
        does, HTTPException of 400 and 422, UnicodeDecodeError and RecursionError for a body.
        """
        context, now_ms = self._context, self._context.clock_ms()
        values = heard(head.headers)
        if not self._door.as_operator:
            self._admit(head, values, now_ms)
        if head.query:
            require_known_query(parse_qsl(head.query.decode("latin-1"), keep_blank_values=True), ())
        if len(body) > MAX_BODY_BYTES or (_announced(values) or 0) > MAX_BODY_BYTES:
            raise LargeBody
        asked = _read(body)
        demands = _demands(tuple(asked.scopes), asked.environment, asked.type, asked.owner, asked.cost)
        attempt = Attempt(now_ms, asked.method, asked.path, asked.origin, _address(asked.ip))
        presented = _presented(asked.token)
        checks: Sequence[Check] | None = None
        if asked.explain:
            verdict, checks = explain_verify(context, presented, attempt, demands)
        else:
            verdict = verify(context, presented, attempt, demands)
            self._door.metrics.count_verdict(verdict.reason)
        lines = f"{_LINES}{last_lines(request_id)}"
        return Answer(200, lines.encode(), self._told(verdict, checks, now_ms))

    def _refuses(self, head: Head, values: Heard) -> bool:
        if self._door.as_operator:
            return False
        try:
            return self._judged(head, values, self._context.clock_ms()).reason is not None
        except Unavailable:
            return True

    def _judged(self, head: Head, values: Heard, now_ms: int) -> Verdict:
        trusted = self._door.trusted_proxies
        attempt = Attempt(
            now_ms,
            head.method,
            OWN_PATH,
            only(values, b"origin"),
            caller_address(peer(head.client[0] if head.client else None, trusted), values, trusted),
            has_override(values),
        )
        return authenticate(self._to_admit, self._token_places.presented(values), attempt)

    def _admit(self, head: Head, values: Heard, now_ms: int) -> None:
        judged = self._judged(head, values, now_ms)
        reason, known = judged.reason, judged.known
        if known is None or reason is not None:
            raise KeyRefused(reason or Reason.UNKNOWN)
        policy = known.policy
        if not policy.instance:
            require_rate(self._door, principal_of(known))
        self._context.uses.count(known, now_ms)
        if not policy.instance or not self._may_verify(policy):
            require(principal_of(known), Power.VERIFY)

    def _told(self, verdict: Verdict, checks: Sequence[Check] | None, now_ms: int) -> bytes:
        """The verdict, in the shape of `VerifyAnswer`; by hand, since most of it is known beforehand."""
        reason, known = verdict.reason, verdict.known
        age_ms = verdict.age_ms
        degraded = age_ms >= self._context.freshness.fresh_for_ms
        return b'{"valid":%b,"reason":%b,%b"limits":[],"as_of":%b,"degraded":%b%b}' % (
            b"true" if reason is None else b"false",
            b"null" if reason is None else b'"%b"' % reason.encode(),
            b"" if known is None else self._key(known),
            _encode(_as_of(now_ms, age_ms)),
            b"true" if degraded else b"false",
            b""
            if checks is None
            else b',"checks":%b' % _encode([CheckView(reason=r, passed=p) for r, p in checks]),
        )

    def _key(self, known: Known) -> bytes:
        kinds, belonging = self._texts(known.policy)
        return b'"key":{"id":"%b","name":%b,%b,"version_id":"%b",%b,"metadata":%b,"expires_at":%b},' % (
            known.key_id.encode(),
            _encode(known.name),
            kinds,
            known.version_id.encode(),
            belonging,
            known.metadata_json,
            b"null" if known.expires_at_ms == NEVER else _encode(at(known.expires_at_ms)),
        )


def _announced(values: Heard) -> int | None:
    """How long the body is said to be; None when it comes in chunks."""
    text = only(values, b"content-length")
    if text is None or not (text.isascii() and text.isdecimal()):
        return None
    # Zeros may stand before it, and int() raises for thousands of digits; so many are too large in any case.
    return int((text.lstrip("0") or "0")[:_DIGITS_READ])


def _read(body: bytes) -> VerifyRequest:
    try:
        return _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _read_again(body)


def _read_again(body: bytes) -> VerifyRequest:
    """In two steps, as in the other routes: what is no JSON is 400, and only then what it says may be 422."""
    if not body:
        raise ValidationException(extra=[{"key": "data", "message": "'data'"}])
    try:
        decoded = decode_json(body)
    except SerializationException as error:
        raise ClientException(str(error)) from error
    asked: VerifyRequest = strictly(decoded, VerifyRequest)
    return asked


@lru_cache(1024)
def _demands(scopes: tuple[str, ...], environment: str, kind: str, owner: str, cost: int) -> Demands:
    return make_demands(scopes=scopes, environment=environment, type=kind, owner=owner, cost=cost)


def _presented(text: str) -> Token | Reason:
    if not text:
        return Reason.MISSING
    return presentable(text) or Reason.MALFORMED


def _address(text: str | None) -> Address | None:
    address = None if text is None else address_of(text)
    if text is not None and address is None:
        raise InvalidInput("ip", "write an IPv4 or IPv6 address, such as 203.0.113.9, or leave it out")
    return address


def _as_of(now_ms: int, age_ms: int) -> datetime:
    """When this node was last level with the database; 1970 if it never was."""
    return at(max(now_ms - age_ms, 0))


def _may_verify(policy: Policy) -> bool:
    return holds(RootKey(key_id=KeyId(""), scopes=policy.rules.scopes), Power.VERIFY)


def _texts(policy: Policy) -> tuple[bytes, bytes]:
    """What keys of a policy say alike in an answer: type and environment, and to whom they belong."""
    rules = policy.rules
    kinds = {"type": rules.type, "environment": rules.environment}
    belonging = {
        "owner": OwnerView(kind=rules.owner.kind, id=rules.owner.id),
        "app": _tenant(policy.app),
        "organization": _tenant(policy.organization),
        "scopes": rules.scopes,
    }
    return _encode(kinds)[1:-1], _encode(belonging)[1:-1]


def _tenant(it: Tenant | None) -> TenantFacts | None:
    if it is None:
        return None
    return TenantFacts(id=it.id, external_id=it.external_id, metadata=dict(it.metadata))
