"""One attempt, from what was presented to the verdict, with an index of the test's own."""

import pytest

from keystead.domain.instants import at_ms
from keystead.domain.keys import Environment, KeyType
from keystead.domain.policy import Policy, rules_of
from keystead.domain.tokens import Token, TokenKind, make_token
from keystead.domain.verdict import Attempt, Demands, Known, Reason, known_of
from keystead.services.context import Context, Seals
from keystead.services.verify import explain_verify, verify
from tests.contract.samples import NOW, key, root_key, version
from tests.people import people
from tests.unit.domain.cases import known

TOKEN = make_token("ks", TokenKind.SECRET, Environment.LIVE, bytes(range(32)))
FOREIGN = Token("SG.0123456789abcdef")
TYPO = Token(TOKEN.reveal()[:-1] + ("0" if TOKEN.reveal()[-1] != "0" else "1"))
SO_FAR = [(Reason.STALE, True), (Reason.MISSING, True)]
AT_NOW = Attempt(at_ms(NOW))


class Memory:
    """An index of what it is told, which also counts the uses."""

    def __init__(self, **found: Known) -> None:
        self.found = {}
        self.age = 0
        self.asked: list[bytes] = []
        self.used: list[Known] = []
        self.seen: list[Known] = []

    def hold(self, token: Token, found: Known) -> None:
        self.found[token.digest] = found

    def age_ms(self) -> int:
        return self.age

    def find(self, digest: bytes) -> Known | None:
        self.asked.append(digest)
        return self.found.get(digest)

    def count(self, found: Known, now_ms: int) -> None:
        self.used.append(found)

    def see_origin(self, found: Known, now_ms: int) -> None:
        self.seen.append(found)


@pytest.fixture
def memory():
    return Memory()


@pytest.fixture
def context(memory):
    return Context(
        store=None,
        replica=memory,
        uses=memory,
        clock_ms=lambda: at_ms(NOW),
        entropy=bytes,
        seals=Seals(b"x" * 32),
        people=people(),
    )


def held_by(token, **changes):
    return known(key(versions=(version(digest=token.digest),), **changes))


@pytest.mark.parametrize("reason", [Reason.MISSING, Reason.MALFORMED])
def test_without_a_token_nothing_is_looked_up(context, memory, reason):
    verdict = verify(context, reason, AT_NOW, Demands())
    assert (verdict.reason, verdict.known) == (reason, None)
    assert memory.asked == []


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        pytest.param(TOKEN, Reason.UNKNOWN, id="ours, not there"),
        pytest.param(TYPO, Reason.MALFORMED, id="ours with a typo"),
        pytest.param(FOREIGN, Reason.MALFORMED, id="foreign, not there"),
    ],
)
def test_a_token_that_is_not_there_was_looked_up_once_whatever_it_looks_like(context, memory, token, reason):
    verdict = verify(context, token, AT_NOW, Demands())
    assert (verdict.reason, verdict.known) == (reason, None)
    assert memory.asked == [token.digest]


@pytest.mark.parametrize("token", [TOKEN, FOREIGN], ids=["ours", "imported"])
def test_a_token_that_is_there_is_accepted_and_counted_once(context, memory, token):
    found = held_by(token)
    memory.hold(token, found)
    verdict = verify(context, token, AT_NOW, Demands())
    assert verdict.accepted
    assert verdict.known is found
    assert memory.used == [found]


@pytest.mark.parametrize("owner", [Demands(), Demands(owner=None)], ids=["app", "any"])
def test_a_root_key_is_unknown_where_the_providers_api_is_asked(context, memory, owner):
    found = root_key(scopes=("*",))
    memory.hold(TOKEN, known_of(found, found.newest, Policy(rules=rules_of(found))))
    verdict = verify(context, TOKEN, AT_NOW, owner)
    assert (verdict.reason, verdict.known) == (Reason.UNKNOWN, None)
    explained, checks = explain_verify(context, TOKEN, AT_NOW, owner)
    assert (explained.reason, explained.known) == (Reason.UNKNOWN, None)
    assert checks[-1] == (Reason.UNKNOWN, False)
    assert memory.used == []


def test_a_refused_key_is_named_and_costs_nothing(context, memory):
    memory.hold(TOKEN, held_by(TOKEN, revoked_at=NOW))
    verdict = verify(context, TOKEN, AT_NOW, Demands())
    assert verdict.reason is Reason.REVOKED
    assert verdict.known is not None
    assert memory.used == []


@pytest.mark.parametrize("changes", [{}, {"revoked_at": NOW}], ids=["accepted", "refused"])
def test_a_secret_token_with_an_origin_is_kept_accepted_or_refused(context, memory, changes):
    held = held_by(TOKEN, **changes)
    memory.hold(TOKEN, held)
    verify(context, TOKEN, Attempt(at_ms(NOW), origin="https://shop.example"), Demands())
    assert memory.seen == [held]


def test_an_explanation_keeps_no_origin(context, memory):
    memory.hold(TOKEN, held_by(TOKEN))
    explain_verify(context, TOKEN, Attempt(at_ms(NOW), origin="https://shop.example"), Demands())
    assert memory.seen == []


def test_a_root_key_in_a_page_is_kept_too(context, memory):
    held = root_key(versions=(version(digest=TOKEN.digest),))
    found = known_of(held, held.newest, Policy(rules=rules_of(held)))
    memory.hold(TOKEN, found)
    verify(context, TOKEN, Attempt(at_ms(NOW), origin="null"), Demands())
    assert memory.seen == [found]


@pytest.mark.parametrize(
    ("kind", "origin"), [(KeyType.SECRET, None), (KeyType.PUBLIC, "https://shop.example")]
)
def test_nothing_is_kept_of_what_is_as_it_should_be(context, memory, kind, origin):
    memory.hold(TOKEN, held_by(TOKEN, type=kind))
    verify(context, TOKEN, Attempt(at_ms(NOW), method="GET", origin=origin), Demands())
    assert memory.seen == []


@pytest.mark.parametrize(
    ("presented", "checks"),
    [
        (Reason.MISSING, [(Reason.STALE, True), (Reason.MISSING, False)]),
        (Reason.MALFORMED, [*SO_FAR, (Reason.MALFORMED, False)]),
        (TYPO, [*SO_FAR, (Reason.MALFORMED, False)]),
        (TOKEN, [*SO_FAR, (Reason.MALFORMED, True), (Reason.UNKNOWN, False)]),
    ],
    ids=["missing", "malformed", "typo", "unknown"],
)
def test_an_explanation_ends_where_no_key_was_found(context, presented, checks):
    verdict, explained = explain_verify(context, presented, AT_NOW, Demands())
    assert list(explained) == checks
    assert verdict.reason is checks[-1][0]


def test_an_explanation_goes_on_past_the_first_failure_and_counts_nothing(context, memory):
    memory.hold(TOKEN, held_by(TOKEN, revoked_at=NOW, expires_at=NOW, scopes=()))
    verdict, explained = explain_verify(context, TOKEN, AT_NOW, Demands(scopes=("a:b",)))
    assert verdict.reason is Reason.REVOKED
    assert [reason.value for reason, passed in explained if not passed] == [
        "REVOKED",
        "EXPIRED",
        "SCOPE_MISSING",
    ]
    assert [reason for reason, _ in explained] == list(Reason)[:16]
    assert memory.used == []


@pytest.mark.parametrize("presented", [TOKEN, Reason.MISSING, Reason.MALFORMED], ids=["token", "none", "odd"])
@pytest.mark.parametrize(
    ("age_ms", "stale"),
    [
        pytest.param(0, False, id="level"),
        pytest.param(299_999, False, id="the millisecond before"),
        pytest.param(300_000, True, id="at"),
        pytest.param(300_001, True, id="after"),
    ],
)
def test_from_the_stale_limit_on_everything_is_refused_and_nothing_is_looked_up(
    context, memory, presented, age_ms, stale
):
    memory.hold(TOKEN, held_by(TOKEN))
    memory.age = age_ms
    verdict = verify(context, presented, AT_NOW, Demands())
    assert (verdict.reason is Reason.STALE) == stale
    if stale:
        assert (verdict.known, memory.asked) == (None, [])
        assert list(explain_verify(context, presented, AT_NOW, Demands())[1]) == [(Reason.STALE, False)]
