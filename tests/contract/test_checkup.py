"""What the databases count of an app's keys is what the rules of `domain.checkup` say of each."""

from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest

from keystead.domain.checkup import UNROLLED_AFTER, UNUSED_AFTER, Finding, find
from keystead.domain.constraints import make_constraints
from keystead.domain.keys import Key, KeyType, OwnerKind
from keystead.domain.tenants import App
from keystead.ports.store import KeyFilter, Page
from keystead.storage.sql.store import SqlStore
from tests.contract.samples import NOW, app, app_id, app_owner, key, populate, version

TICK = timedelta(milliseconds=1)
RULES = make_constraints([("verb", None, ["GET"])])
ORIGINS = ("https://shop.example",)


def every_sort() -> list[Key]:
    """Keys on both sides of every boundary: their numbers are their own, and their ages differ."""
    states = [
        {},
        {"constraints": RULES, "expires_at": NOW + TICK},
        {"allowed_origins": ORIGINS, "expires_at": NOW},
        {"revoked_at": NOW},
        {"disabled_at": NOW},
        {"ephemeral": True, "expires_at": NOW + TICK},
    ]
    uses = [None, NOW - UNUSED_AFTER, NOW - UNUSED_AFTER + TICK]
    ages = [UNROLLED_AFTER, UNROLLED_AFTER - TICK, UNUSED_AFTER, UNUSED_AFTER - TICK]
    tokens = [{}, {"origin_seen_at": NOW}, {"origin_seen_at": NOW, "retires_at": NOW}]
    made = []
    for number, (state, used, age, token, kind) in enumerate(
        product(states, uses, ages, tokens, KeyType), start=1
    ):
        first = version(2 * number, created_at=NOW - age, **token)
        second = version(2 * number + 1, created_at=NOW - age + TICK * (number % 2))
        held = (first, second) if token else (first,)
        born = {"created_at": NOW - age, "type": kind, "last_used_at": used, "versions": held}
        made.append(replace(key(number), **born, **state))
    return made


async def keep(store: SqlStore, here: App, keys: list[Key]) -> None:
    async with store.write() as tables:
        await tables.apps.update(here)
        for one in keys:
            await tables.keys.insert(one)


@pytest.mark.parametrize("origins", [(), ORIGINS], ids=["open", "bound"])
async def test_each_finding_is_about_the_same_keys_as_by_the_rules(store: SqlStore, origins) -> None:
    await populate(store)
    here, keys = app(allowed_origins=origins), every_sort()
    await keep(store, here, keys)
    lasting = [it for it in keys if not it.ephemeral]
    expected = {finding: {it.id for it in about} for finding, about in find(here, lasting, NOW).items()}
    wanted = KeyFilter(now=NOW, owner_kind=OwnerKind.APP, owner_id=app_id())
    async with store.read() as tables:
        survey = await tables.keys.survey(app_id(), NOW)
        for finding in Finding:
            listed = await tables.keys.list(replace(wanted, finding=finding), Page(limit=1_000))
            assert {it.id for it in listed.items} == expected[finding], finding
    assert survey.found == {finding: len(about) for finding, about in expected.items()}
    assert survey.made
    assert survey.used
    assert survey.narrowed


async def test_an_app_is_told_of_its_own_keys_alone(store: SqlStore) -> None:
    await populate(store, apps=3)
    other = replace(key(9, owner=app_owner(2)), constraints=RULES, last_used_at=NOW)
    async with store.write() as tables:
        await tables.keys.insert(key(1))
        await tables.keys.insert(replace(key(2), revoked_at=NOW, last_used_at=None))
        await tables.keys.insert(other)
    async with store.read() as tables:
        own = await tables.keys.survey(app_id(1), NOW)
        nothing = await tables.keys.survey(app_id(3), NOW)
    assert (own.made, own.active, own.used, own.narrowed) == (True, 1, False, False)
    assert (nothing.made, nothing.active, nothing.used, nothing.narrowed) == (False, 0, False, False)
    assert set(nothing.found.values()) == {0}


async def test_what_a_revoked_key_has_shown_stays_shown(store: SqlStore) -> None:
    await populate(store)
    async with store.write() as tables:
        await tables.keys.insert(
            replace(key(1), revoked_at=NOW, constraints=(), last_used_at=NOW, allowed_origins=ORIGINS)
        )
    async with store.read() as tables:
        told = await tables.keys.survey(app_id(), NOW)
    assert (told.made, told.used, told.narrowed, told.active) == (True, True, True, 0)
