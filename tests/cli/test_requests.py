"""What is typed → what the API is asked: one row for every command, and for every kind of option."""

import pytest

ROWS = {
    "org create": (
        'org create --name Acme --external-id cus_1 --label team=ops --metadata {"plan":"pro"}',
        (
            "POST",
            "organizations",
            {"name": "Acme", "external_id": "cus_1", "labels": {"team": "ops"}, "metadata": {"plan": "pro"}},
        ),
    ),
    "org create with a ceiling": (
        "org create --name Acme --ceiling-scope jobs:read --ceiling-lifetime 90d --ceiling-public-method GET",
        (
            "POST",
            "organizations",
            {
                "name": "Acme",
                "ceiling": {"scopes": ["jobs:read"], "max_lifetime_s": 7776000, "public_methods": ["GET"]},
            },
        ),
    ),
    "org list": ("org list", ("GET", "organizations", None)),
    "org list with filters": (
        "org list --name ac --external-id c --label team=ops --limit 2 --cursor abc",
        ("GET", "organizations?limit=2&cursor=abc&name=ac&external_id=c&labels.team=ops", None),
    ),
    "org show": ("org show org_1", ("GET", "organizations/org_1", None)),
    "org update": (
        "org update org_1 --name New --no-external-id --no-labels --no-ceiling",
        ("PATCH", "organizations/org_1", {"name": "New", "external_id": None, "ceiling": None, "labels": {}}),
    ),
    "org update nothing": ("org update org_1", ("PATCH", "organizations/org_1", {})),
    "org suspend": ("org suspend org_1", ("PATCH", "organizations/org_1", {"disabled": True})),
    "org resume": ("org resume org_1", ("PATCH", "organizations/org_1", {"disabled": False})),
    "org delete": ("org delete org_1 --yes", ("DELETE", "organizations/org_1", None)),
    "org audit": ("org audit org_1 --limit 5", ("GET", "organizations/org_1/audit?limit=5", None)),
    "org member add by e-mail": (
        "org member add org_1 --email ada@example.com --role viewer",
        ("POST", "organizations/org_1/members", {"role": "viewer", "email": "ada@example.com"}),
    ),
    "org member add by id": (
        "org member add org_1 --user usr_1 --role owner",
        ("POST", "organizations/org_1/members", {"role": "owner", "user_id": "usr_1"}),
    ),
    "org member list": ("org member list org_1", ("GET", "organizations/org_1/members", None)),
    "org member role": (
        "org member role org_1 usr_1 --role admin",
        ("PATCH", "organizations/org_1/members/usr_1", {"role": "admin"}),
    ),
    "org member remove": (
        "org member remove org_1 usr_1 --yes",
        ("DELETE", "organizations/org_1/members/usr_1", None),
    ),
    "app create": (
        """app create --org org_1 --name Web --environment test --external-id a1 --origin https://a.example
        --origin https://b.example --network 10.0.0.0/8
        --no-last-key-protection --no-self-rotation --api-base-url https://api.example.com/v1""",
        (
            "POST",
            "organizations/org_1/apps",
            {
                "name": "Web",
                "environment": "test",
                "external_id": "a1",
                "allowed_origins": ["https://a.example", "https://b.example"],
                "allowed_networks": ["10.0.0.0/8"],
                "last_key_protection": False,
                "self_rotation": False,
                "api_base_url": "https://api.example.com/v1",
            },
        ),
    ),
    "app list": ("app list --org org_1", ("GET", "organizations/org_1/apps", None)),
    "app show": ("app show app_1", ("GET", "apps/app_1", None)),
    "app update": (
        "app update app_1 --no-origins --no-networks --last-key-protection --no-api-base-url --label a=b=c",
        (
            "PATCH",
            "apps/app_1",
            {
                "last_key_protection": True,
                "allowed_origins": [],
                "allowed_networks": [],
                "api_base_url": None,
                "labels": {"a": "b=c"},
            },
        ),
    ),
    "app suspend": ("app suspend app_1", ("PATCH", "apps/app_1", {"disabled": True})),
    "app resume": ("app resume app_1", ("PATCH", "apps/app_1", {"disabled": False})),
    "app delete": ("app delete app_1 --yes", ("DELETE", "apps/app_1", None)),
    "user create": (
        "user create --email ada@example.com --name Ada",
        ("POST", "users", {"email": "ada@example.com", "name": "Ada"}),
    ),
    "user list": ("user list --email ada@example.com", ("GET", "users?email=ada%40example.com", None)),
    "user show": ("user show usr_1", ("GET", "users/usr_1", None)),
    "user show me": ("user show me", ("GET", "users/me", None)),
    "user update": ("user update usr_1 --name Ada", ("PATCH", "users/usr_1", {"name": "Ada"})),
    "user suspend": ("user suspend usr_1", ("PATCH", "users/usr_1", {"disabled": True})),
    "user resume": ("user resume usr_1", ("PATCH", "users/usr_1", {"disabled": False})),
    "scope create": (
        "scope create jobs:read --description Read --customer-grantable",
        ("POST", "scopes", {"name": "jobs:read", "description": "Read", "customer_grantable": True}),
    ),
    "scope list": ("scope list", ("GET", "scopes", None)),
    "scope update": (
        "scope update jobs:* --no-customer-grantable",
        ("PATCH", "scopes/jobs:*", {"customer_grantable": False}),
    ),
    "scope delete": ("scope delete jobs:read --yes", ("DELETE", "scopes/jobs:read", None)),
    "key create for an app": (
        "key create --app app_1 --name Nightly",
        ("POST", "apps/app_1/keys", {"name": "Nightly"}),
    ),
    "key create for a user": (
        "key create --user usr_1 --org org_1 --name Laptop --environment test",
        (
            "POST",
            "users/usr_1/keys",
            {"name": "Laptop", "organization_id": "org_1", "environment": "test"},
        ),
    ),
    "key create with all": (
        """key create --app app_1 --name N --type public --scope a:b --scope c:d --origin https://a.example
        --network 10.0.0.1 --expires-in 30d --ephemeral --label a=b --metadata {}""",
        (
            "POST",
            "apps/app_1/keys",
            {
                "name": "N",
                "type": "public",
                "scopes": ["a:b", "c:d"],
                "allowed_origins": ["https://a.example"],
                "allowed_networks": ["10.0.0.1"],
                "expires_in": 2592000,
                "ephemeral": True,
                "labels": {"a": "b"},
                "metadata": {},
            },
        ),
    ),
    "key list of an app": ("key list --app app_1", ("GET", "apps/app_1/keys", None)),
    "key list of an organization": ("key list --org org_1", ("GET", "organizations/org_1/keys", None)),
    "key list of a user": ("key list --user usr_1", ("GET", "users/usr_1/keys", None)),
    "key list with filters": (
        """key list --org org_1 --status active --type secret --name n --owner app_1 --start ks_sk
        --last4 abcd --label a=b --external-id x --expires-before 2027-01-01T00:00:00Z
        --unused-since 2026-01-01T00:00:00Z --finding no-expiry --ephemeral --limit 9""",
        (
            "GET",
            (
                "organizations/org_1/keys?limit=9&status=active&type=secret&name=n&owner=app_1&start=ks_sk"
                "&last4=abcd&external_id=x&expires_before=2027-01-01T00%3A00%3A00Z"
                "&unused_since=2026-01-01T00%3A00%3A00Z&finding=no-expiry&ephemeral=true&labels.a=b"
            ),
            None,
        ),
    ),
    "key show": ("key show key_1", ("GET", "keys/key_1", None)),
    "key update": (
        "key update key_1 --name N --scope a:b --expires-at 2027-01-01T00:00:00Z",
        ("PATCH", "keys/key_1", {"name": "N", "scopes": ["a:b"], "expires_at": "2027-01-01T00:00:00Z"}),
    ),
    "key update that clears": (
        "key update key_1 --no-constraints --no-origins --no-networks --no-scopes --no-expiry --no-labels",
        (
            "PATCH",
            "keys/key_1",
            {
                "constraints": [],
                "allowed_origins": [],
                "allowed_networks": [],
                "scopes": [],
                "expires_at": None,
                "labels": {},
            },
        ),
    ),
    "key rotate": ("key rotate key_1", ("POST", "keys/key_1/rotate", {})),
    "key rotate at once": ("key rotate key_1 --grace 0", ("POST", "keys/key_1/rotate", {"grace_s": 0})),
    "key rotate with an expiry": (
        "key rotate key_1 --grace 5m --expires-in 12h",
        ("POST", "keys/key_1/rotate", {"grace_s": 300, "expires_in": 43200}),
    ),
    "key rotate without an expiry": (
        "key rotate key_1 --no-expiry",
        ("POST", "keys/key_1/rotate", {"expires_at": None}),
    ),
    "key retire": ("key retire key_1 ver_1", ("DELETE", "keys/key_1/versions/ver_1", None)),
    "key disable": ("key disable key_1", ("POST", "keys/key_1/disable", None)),
    "key enable": ("key enable key_1", ("POST", "keys/key_1/enable", None)),
    "key reveal": ("key reveal key_1", ("POST", "keys/key_1/reveal", None)),
    "key revoke": ("key revoke key_1 --yes", ("DELETE", "keys/key_1", None)),
    "key revoke with all it made": (
        "key revoke key_1 --yes --reason compromised --descendants",
        ("DELETE", "keys/key_1?reason=compromised&descendants=true", None),
    ),
    "key lookup": ("key lookup", ("POST", "keys/lookup", {"token": "the-token"})),
    "key lookup of standard input": ("key lookup -", ("POST", "keys/lookup", {"token": "the-token"})),
    "key verify": ("key verify", ("POST", "verify", {"token": "the-token"})),
    "key verify with all": (
        """key verify - --method GET --path /jobs/7?x=%20 --origin https://a.example --ip 203.0.113.9
        --user-agent curl --scope a:b --scope c:d --environment any --type secret --owner user --cost 0
        --explain""",
        (
            "POST",
            "verify",
            {
                "token": "the-token",
                "method": "GET",
                "path": "/jobs/7?x=%20",
                "origin": "https://a.example",
                "ip": "203.0.113.9",
                "user_agent": "curl",
                "scopes": ["a:b", "c:d"],
                "environment": "any",
                "type": "secret",
                "owner": "user",
                "cost": 0,
                "explain": True,
            },
        ),
    ),
    "root-key create": ("root-key create", ("POST", "root-keys", {"name": "Root key", "scopes": ["*"]})),
    "root-key create for one thing": (
        "root-key create --name Gate --scope verify --network 10.0.0.0/8",
        ("POST", "root-keys", {"name": "Gate", "scopes": ["verify"], "allowed_networks": ["10.0.0.0/8"]}),
    ),
    "root-key list": ("root-key list --status revoked", ("GET", "root-keys?status=revoked", None)),
    "root-key show": ("root-key show key_1", ("GET", "keys/key_1", None)),
    "root-key rotate": ("root-key rotate key_1 --grace 1h", ("POST", "keys/key_1/rotate", {"grace_s": 3600})),
    "root-key revoke": ("root-key revoke key_1 --yes", ("DELETE", "keys/key_1", None)),
    "node list": ("node list", ("GET", "nodes", None)),
}


@pytest.mark.parametrize(("line", "expected"), ROWS.values(), ids=ROWS.keys())
def test_command_asks_the_api_for_exactly_this(run, api, line, expected):
    api.answer = {"valid": True}
    result = run(*line.split(), "--json", stdin="the-token\n")
    assert (result.code, result.err) == (0, "")
    assert api.asked == expected


CONSTRAINTS = {
    "methods, type and pattern": (
        "GET,POST prefix jobs/",
        {"type": "prefix", "methods": ["GET", "POST"], "pattern": "jobs/"},
    ),
    "every method": ("exact health", {"type": "exact", "methods": [], "pattern": "health"}),
    "methods only": ("GET verb", {"type": "verb", "methods": ["GET"]}),
    "a regex keeps its spaces": (
        "DELETE regex a b{1,2}",
        {"type": "regex", "methods": ["DELETE"], "pattern": "a b{1,2}"},
    ),
    "more blanks between": ("  GET   exact   a ", {"type": "exact", "methods": ["GET"], "pattern": "a"}),
    "a type the API does not know is for it to refuse": (
        "glob jobs/*",
        {"type": "glob", "methods": [], "pattern": "jobs/*"},
    ),
}


@pytest.mark.parametrize(("text", "expected"), CONSTRAINTS.values(), ids=CONSTRAINTS.keys())
def test_constraint_is_read_as_methods_type_and_pattern(run, api, text, expected):
    run("key", "create", "--app", "app_1", "--name", "N", "--allow", text, "--allow", "exact other")
    body = api.asked[2]
    assert isinstance(body, dict)
    assert body["constraints"] == [expected, {"type": "exact", "methods": [], "pattern": "other"}]


DURATIONS = {"90s": 90, "5m": 300, "12h": 43200, "30d": 2592000, "17": 17}


@pytest.mark.parametrize(("text", "seconds"), DURATIONS.items())
def test_duration_is_seconds_or_has_a_unit(run, api, text, seconds):
    run("key", "rotate", "key_1", "--expires-in", text)
    assert api.asked[2] == {"expires_in": seconds}


REFUSED = {
    "no such command": "key make",
    "no such option": "key list --app app_1 --colour red",
    "a required option is missing": "org create",
    "an id that could lead elsewhere": "key show ../users",
    "an id with a slash": "org show org_1/apps",
    "an id that is an option": "key list --app --limit",
    "an empty id": "key show ''",
    "two owners": "key create --app app_1 --user usr_1 --name N",
    "no owner": "key create --name N",
    "nothing to list": "key list",
    "set and cleared": "key update key_1 --scope a:b --no-scopes",
    "a duration without sense": "key rotate key_1 --grace soon",
    "a negative duration": "key rotate key_1 --grace -5m",
    "a label without a value": "org create --name N --label team",
    "a label without a name": "org list --label =ops",
    "metadata that is no JSON": "org create --name N --metadata plan=pro",
    "metadata that is no object": "org create --name N --metadata [1]",
    "a constraint without a type": "key create --app app_1 --name N --allow GET",
    "an empty constraint": "key create --app app_1 --name N --allow ''",
    "a limit that is no number": "org list --limit many",
    "neither e-mail nor id": "org member add org_1 --role viewer",
}


@pytest.mark.parametrize("line", REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_meant_is_refused_before_anything_is_asked(run, api, line):
    result = run(*(word.strip("'") for word in line.split()))
    assert result.code == 2
    assert result.out == ""
    assert result.err.startswith("error: ")
    assert api.requests == []
