"""Who may do what: the design's words, written out by hand as a table."""

from itertools import pairwise

import pytest

from keystead.domain.keys import By, ByKind, KeyType
from keystead.domain.policy import Policy, rules_of, tenant_of
from keystead.domain.powers import (
    AppKey,
    Operator,
    Person,
    PersonalKey,
    Power,
    PublicKey,
    RootKey,
    System,
    customer,
    holds,
    is_provider,
    key_of,
    principal_of,
    reaches,
)
from keystead.domain.scopes import ROOT_SCOPES
from keystead.domain.tenants import Role, outranks
from keystead.domain.verdict import known_of
from tests.contract.samples import (
    key,
    key_id,
    organization_id,
    personal_key,
    root_key,
    session_id,
    user,
    user_id,
)

ALL = set(Power)
# People do these, and keys never.
PEOPLE = {Power.USE_ACCOUNT}
PROVIDER_ONLY = {
    Power.PROVIDE_ORGANIZATIONS,
    Power.PROVIDE_APPS,
    Power.PROVIDE_USERS,
    Power.MANAGE_OPERATORS,
    Power.PROVIDE_SCOPES,
    Power.MANAGE_ROOT_KEYS,
    Power.READ_NODES,
    Power.READ_METRICS,
    Power.VERIFY,
}

# Viewers read.
VIEWER = {
    Power.READ_ORGANIZATIONS,
    Power.READ_MEMBERS,
    Power.READ_APPS,
    Power.READ_APP_KEYS,
    Power.READ_USERS,
    Power.READ_SCOPES,
    Power.USE_PERSONAL_KEYS,
}
# Developers make, change, rotate, revoke and reveal app keys.
DEVELOPER = VIEWER | {Power.CHANGE_APP_KEYS}
# Owners and admins manage members, apps and settings.
ADMIN = DEVELOPER | {
    Power.CHANGE_ORGANIZATIONS,
    Power.CHANGE_MEMBERS,
    Power.CHANGE_APPS,
    Power.READ_AUDIT,
}
OWNER = ADMIN | {Power.DELETE_ORGANIZATIONS}

# Root keys: by scope, a closed set.
SCOPES = {
    "*": ALL - PEOPLE,
    "organizations:*": {
        Power.READ_ORGANIZATIONS,
        Power.CHANGE_ORGANIZATIONS,
        Power.DELETE_ORGANIZATIONS,
        Power.PROVIDE_ORGANIZATIONS,
    },
    "apps:*": {Power.READ_APPS, Power.CHANGE_APPS, Power.PROVIDE_APPS},
    "keys:*": {Power.READ_APP_KEYS, Power.CHANGE_APP_KEYS},
    "personal_keys:*": {Power.USE_PERSONAL_KEYS},
    "users:*": {Power.READ_MEMBERS, Power.CHANGE_MEMBERS, Power.READ_USERS, Power.PROVIDE_USERS},
    "scopes:*": {Power.READ_SCOPES, Power.PROVIDE_SCOPES},
    "root_keys:*": {Power.MANAGE_ROOT_KEYS},
    "nodes:read": {Power.READ_NODES},
    "audit:read": {Power.READ_AUDIT},
    "usage:read": set(),
    "metrics:read": {Power.READ_METRICS},
    "verify": {Power.VERIFY},
}


def personal(role, **changes):
    held = personal_key(7, **changes)
    return PersonalKey(key_id=held.id, user_id=user_id(1), organization_id=organization_id(1), role=role)


def root(*scopes):
    return RootKey(key_id=root_key(8).id, scopes=scopes)


def person(role=None, *, operator=False, organization=True):
    return Person(
        user_id=user_id(1),
        session_id=session_id(1),
        operator=operator,
        organization_id=organization_id(1) if organization else None,
        role=role,
    )


PRINCIPALS = {
    "operator": Operator(),
    "system": System(),
    "root key": root("*"),
    "personal key": personal(Role.OWNER),
    "person": person(Role.OWNER),
    "operator in person": person(operator=True, organization=False),
    "app key": AppKey(key_id=key(9).id),
    "public key": PublicKey(key_id=key(10).id),
}
EACH = pytest.mark.parametrize("name", PRINCIPALS)


def powers_of(principal):
    return {power for power in Power if holds(principal, power)}


def test_the_table_of_scopes_is_the_closed_set():
    assert set(SCOPES) == ROOT_SCOPES


@pytest.mark.parametrize("scope", SCOPES)
def test_a_root_key_holds_what_its_scope_says(scope):
    assert powers_of(root(scope)) == SCOPES[scope]


def test_a_root_key_holds_the_powers_of_all_its_scopes():
    assert powers_of(root("verify", "keys:*", "nodes:read")) == {
        Power.VERIFY,
        Power.READ_NODES,
        *SCOPES["keys:*"],
    }


def test_a_root_key_without_scopes_holds_nothing():
    assert powers_of(root()) == set()


@pytest.mark.parametrize("scope", ["keys:read", "organizations:read", "verify:*", "audit:write", "jobs:*"])
def test_a_scope_outside_the_closed_set_opens_nothing(scope):
    assert powers_of(root(scope)) == set()


@pytest.mark.parametrize(
    ("role", "powers"),
    [(Role.VIEWER, VIEWER), (Role.DEVELOPER, DEVELOPER), (Role.ADMIN, ADMIN), (Role.OWNER, OWNER)],
)
def test_a_personal_key_holds_what_its_users_role_says(role, powers):
    assert powers_of(personal(role)) == powers


@pytest.mark.parametrize("role", Role)
def test_scopes_of_the_providers_api_give_a_personal_key_nothing_in_ours(role):
    scopes = ("*:*", "keys:*", "organizations:*")
    assert powers_of(personal(role, scopes=scopes)) == powers_of(personal(role))


@pytest.mark.parametrize("role", Role)
def test_no_role_holds_what_is_the_providers_alone(role):
    assert powers_of(personal(role)).isdisjoint(PROVIDER_ONLY)


def test_a_stronger_role_holds_all_that_a_weaker_one_does():
    held = [powers_of(personal(role)) for role in Role]
    assert held == sorted(held, key=len, reverse=True)
    assert all(weaker <= stronger for stronger, weaker in pairwise(held))


@pytest.mark.parametrize(
    ("name", "powers"),
    [
        ("operator", ALL),
        ("system", ALL),
        ("app key", set()),
        ("public key", set()),
    ],
)
def test_operators_may_do_all_and_app_and_public_keys_nothing(name, powers):
    assert powers_of(PRINCIPALS[name]) == powers


@pytest.mark.parametrize("scopes", [("*",), ("keys:*", "verify"), ("*:*",)], ids=str)
def test_no_scope_gives_an_app_or_public_key_a_power(scopes):
    assert powers_of(principal_of(found(key(scopes=scopes)))) == set()
    assert powers_of(principal_of(found(key(scopes=scopes, **PUBLIC)))) == set()


@pytest.mark.parametrize(
    ("name", "own", "other", "instance"),
    [
        ("operator", True, True, True),
        ("system", True, True, True),
        ("root key", True, True, True),
        ("personal key", True, False, False),
        ("app key", False, False, False),
        ("public key", False, False, False),
    ],
)
def test_a_personal_key_reaches_its_own_organization_only(name, own, other, instance):
    principal = PRINCIPALS[name]
    assert reaches(principal, organization_id(1)) is own
    assert reaches(principal, organization_id(2)) is other
    assert reaches(principal, None) is instance


@EACH
def test_operators_root_keys_and_keystead_itself_are_the_provider(name):
    assert is_provider(PRINCIPALS[name]) is (name in {"operator", "operator in person", "system", "root key"})


@EACH
def test_audit_calls_the_provider_the_provider(name):
    assert PRINCIPALS[name].by.is_provider is is_provider(PRINCIPALS[name])


@pytest.mark.parametrize(
    ("name", "by"),
    [
        ("operator", By(kind=ByKind.OPERATOR, id="local")),
        ("system", By(kind=ByKind.SYSTEM, id="keystead")),
        ("root key", By(kind=ByKind.ROOT_KEY, id=key_id(8))),
        ("personal key", By(kind=ByKind.KEY, id=key_id(7))),
        ("person", By(kind=ByKind.USER, id=user_id(1))),
        ("operator in person", By(kind=ByKind.OPERATOR, id=user_id(1))),
        ("app key", By(kind=ByKind.KEY, id=key_id(9))),
        ("public key", By(kind=ByKind.KEY, id=key_id(10))),
    ],
)
def test_audit_names_who_acted(name, by):
    assert PRINCIPALS[name].by == by


@pytest.mark.parametrize("role", [*Role, None])
def test_a_person_holds_what_a_personal_key_of_theirs_would_and_has_an_account(role):
    assert powers_of(person(role)) == powers_of(personal(role)) | PEOPLE


def test_a_person_reaches_the_organization_they_act_in_and_what_belongs_to_none_never():
    assert reaches(person(Role.OWNER), organization_id(1))
    assert not reaches(person(Role.OWNER), organization_id(2))
    for outside in (person(), person(organization=False)):
        assert not reaches(outside, None)


def test_an_operator_in_person_holds_all_and_reaches_everything():
    operator = person(operator=True, organization=False)
    assert powers_of(operator) == ALL
    assert reaches(operator, organization_id(2))
    assert reaches(operator, None)
    assert customer(operator) is None


@pytest.mark.parametrize(
    ("name", "bound"), [("person", True), ("personal key", True), ("root key", False), ("app key", False)]
)
def test_a_customers_user_is_bound_to_their_own_account(name, bound):
    assert customer(PRINCIPALS[name]) is (PRINCIPALS[name] if bound else None)


@pytest.mark.parametrize("name", ["operator", "system", "person"])
def test_who_needs_no_key_has_none(name):
    assert key_of(PRINCIPALS[name]) is None
    assert key_of(PRINCIPALS["root key"]) == key_id(8)


def found(held, *, user=None, role=None):
    above = Policy(rules=rules_of(held), user=user and tenant_of(user), role=role)
    return known_of(held, held.newest, above)


PUBLIC = {"type": KeyType.PUBLIC}


@pytest.mark.parametrize(
    ("known", "principal"),
    [
        pytest.param(found(root_key(scopes=("*",))), RootKey, id="root key"),
        pytest.param(found(key()), AppKey, id="app key"),
        pytest.param(found(key(**PUBLIC)), PublicKey, id="public app key"),
        pytest.param(found(personal_key(), user=user(), role=Role.OWNER), PersonalKey, id="personal key"),
        pytest.param(
            found(personal_key(**PUBLIC), user=user(), role=Role.OWNER), PublicKey, id="public personal key"
        ),
        pytest.param(found(root_key(scopes=("*",), **PUBLIC)), PublicKey, id="public key of the instance"),
    ],
)
def test_a_key_acts_as_what_it_is(known, principal):
    assert type(principal_of(known)) is principal


def test_a_personal_key_acts_with_the_role_held_at_this_moment():
    known = found(personal_key(), user=user(3), role=Role.VIEWER)
    assert principal_of(known) == PersonalKey(
        key_id=known.key_id, user_id=user_id(3), organization_id=organization_id(1), role=Role.VIEWER
    )
    assert powers_of(principal_of(found(personal_key(), user=user(3), role=Role.ADMIN))) == ADMIN


def test_a_personal_key_whose_user_left_holds_no_power_and_reaches_nothing():
    principal = principal_of(found(personal_key(), user=user(), role=None))
    assert powers_of(principal) == set()
    assert not reaches(principal, organization_id(1))


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("other", Role)
def test_a_role_outranks_those_after_it(role, other):
    order = [Role.OWNER, Role.ADMIN, Role.DEVELOPER, Role.VIEWER]
    assert outranks(role, other) is (order.index(role) < order.index(other))
