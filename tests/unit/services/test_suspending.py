"""Suspending and resuming: what the provider paused only the provider resumes."""

from datetime import timedelta

import pytest
from msgspec import UNSET

from keystead.domain.errors import Denied
from keystead.domain.powers import Operator, PersonalKey, RootKey, System
from keystead.domain.tenants import Role, Suspension
from keystead.services.suspending import suspension
from tests.contract.samples import NOW, organization_id, personal_key, root_key, user_id

EARLIER = NOW - timedelta(days=1)


def member(number=1):
    return PersonalKey(
        key_id=personal_key(number).id,
        user_id=user_id(number),
        organization_id=organization_id(1),
        role=Role.OWNER,
    )


PROVIDERS = {
    "operator": Operator(),
    "system": System(),
    "root key": RootKey(key_id=root_key(50).id, scopes=("*",)),
}
PRINCIPALS = {**PROVIDERS, "member": member()}
BY_ANYONE = pytest.mark.parametrize("name", PRINCIPALS)
BY_PROVIDER = pytest.mark.parametrize("name", PROVIDERS)


def laid(principal):
    return Suspension(at=EARLIER, by=principal.by)


@BY_ANYONE
@pytest.mark.parametrize(
    "current", [None, laid(Operator()), laid(member(2))], ids=["none", "provider's", "customer's"]
)
def test_what_is_not_mentioned_stays(name, current):
    assert suspension(current, UNSET, PRINCIPALS[name], NOW) is current


@BY_ANYONE
def test_whoever_suspends_is_kept_with_the_instant(name):
    assert suspension(None, True, PRINCIPALS[name], NOW) == Suspension(at=NOW, by=PRINCIPALS[name].by)


@BY_ANYONE
def test_resuming_what_is_not_suspended_changes_nothing(name):
    assert suspension(None, False, PRINCIPALS[name], NOW) is None


@BY_ANYONE
def test_a_customers_suspension_is_resumed_by_anyone(name):
    assert suspension(laid(member(2)), False, PRINCIPALS[name], NOW) is None


@BY_PROVIDER
@pytest.mark.parametrize("other", PROVIDERS)
def test_the_providers_suspension_is_resumed_by_the_provider(name, other):
    assert suspension(laid(PROVIDERS[other]), False, PROVIDERS[name], NOW) is None


@BY_PROVIDER
def test_the_providers_suspension_is_not_resumed_by_a_customer(name):
    with pytest.raises(Denied, match="only the provider resumes") as refusal:
        suspension(laid(PROVIDERS[name]), False, member(), NOW)
    assert refusal.value.code == "disabled-by-provider"


@BY_PROVIDER
def test_the_providers_suspension_is_not_taken_over_by_a_customer(name):
    current = laid(PROVIDERS[name])
    assert suspension(current, True, member(), NOW) is current


@BY_PROVIDER
def test_the_providers_suspension_replaces_a_customers_from_when_it_began(name):
    changed = suspension(laid(member()), True, PROVIDERS[name], NOW)
    assert changed == Suspension(at=EARLIER, by=PROVIDERS[name].by)
    with pytest.raises(Denied):
        suspension(changed, False, member(), NOW)


def test_suspending_again_keeps_who_was_first_among_equals():
    for first, second in [(member(1), member(2)), (Operator(), System())]:
        current = laid(first)
        assert suspension(current, True, second, NOW) is current
