"""Settings: what is read, what is refused, what is shown, and that the page about them is up to date."""

import os
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.domain.errors import InvalidInput, Misconfigured
from keystead.domain.keys import Environment
from keystead.domain.presented import Place
from keystead.domain.tokens import Token, TokenKind, make_token
from keystead.settings import (
    CLIENT_SETTINGS,
    SETTINGS,
    Settings,
    load_settings,
    shown,
)
from keystead.settings.parsing import SignUp, make_duration
from keystead.settings.risks import is_loopback, require_startable, risky
from scripts import settings_docs

ROOT = make_token("ks", TokenKind.ROOT, Environment.LIVE, bytes(range(32)))
SECRET_KEY = "".join(["Zq", "7" * 30])
PASSWORD = "hunter2"
DATABASE_URL = f"postgresql://keystead:{PASSWORD}@db.internal:5432/keystead"
SMTP_URL = f"smtps://keys:{PASSWORD}@mail.internal:465"
ADMIN_PASSWORD = "correct horse battery"
GOOD = {
    "KEYSTEAD_DATA": "/var/lib/keystead",
    "KEYSTEAD_DATABASE_URL": DATABASE_URL,
    "KEYSTEAD_HOST": "::",
    "KEYSTEAD_PORT": "9000",
    "KEYSTEAD_WORKERS": "4",
    "KEYSTEAD_INTERNAL_LISTEN": "[::1]:8421",
    "KEYSTEAD_PUBLIC_URL": "https://keys.example.com/base",
    "KEYSTEAD_INSECURE": "1",
    "KEYSTEAD_TRUSTED_PROXIES": "10.0.3.7/32,2001:db8::/64",
    "KEYSTEAD_NODE_NAME": "eu-1.keys_A",
    "KEYSTEAD_FRESH_FOR": "5s",
    "KEYSTEAD_STALE_LIMIT": "10m",
    "KEYSTEAD_TOKEN_PREFIX": "acme",
    "KEYSTEAD_TOKEN_PLACES": "x-api-key",
    "KEYSTEAD_SECRET_KEY": SECRET_KEY,
    "KEYSTEAD_ROOT_KEY": ROOT.reveal(),
    "KEYSTEAD_MANAGEMENT_RATE_PER_MINUTE": "60",
    "KEYSTEAD_MANAGEMENT_BURST": "5",
    "KEYSTEAD_MAX_KEYS_PER_APP": "7",
    "KEYSTEAD_MAX_APPS_PER_ORGANIZATION": "8",
    "KEYSTEAD_MAX_MEMBERS_PER_ORGANIZATION": "9",
    "KEYSTEAD_EPHEMERAL_RETENTION": "36h",
    "KEYSTEAD_SESSION_LIFETIME": "12h",
    "KEYSTEAD_SIGNUP": "open",
    "KEYSTEAD_ADMIN_EMAIL": "ada@example.com",
    "KEYSTEAD_ADMIN_PASSWORD": ADMIN_PASSWORD,
    "KEYSTEAD_SMTP_URL": SMTP_URL,
    "KEYSTEAD_MAIL_FROM": "Acme keys <keys@acme.example>",
    "KEYSTEAD_RETURN_URLS": "https://app.acme.example/account,http://localhost:3000",
    "KEYSTEAD_PRODUCT_NAME": "Acme keys",
    "KEYSTEAD_SUPPORT_URL": "mailto:help@acme.example",
    "KEYSTEAD_DOCS_URL": "https://docs.acme.example/",
}


def load(**environ):
    return load_settings({f"KEYSTEAD_{name.upper()}": text for name, text in environ.items()})


def test_without_any_variable_the_documented_defaults_hold():
    assert load() == Settings(
        data=Path("keystead-data"),
        database_url=None,
        host="127.0.0.1",
        port=8420,
        workers=1,
        internal_listen=None,
        public_url=None,
        insecure=False,
        trusted_proxies=("127.0.0.0/8", "::1/128"),
        node_name=None,
        fresh_for=timedelta(seconds=2),
        stale_limit=timedelta(minutes=5),
        token_prefix="ks",
        token_places=(Place.AUTHORIZATION, Place.X_API_KEY),
        secret_key=None,
        root_key=None,
        management_rate_per_minute=1200,
        management_burst=200,
        max_keys_per_app=1000,
        max_apps_per_organization=100,
        max_members_per_organization=500,
        ephemeral_retention=timedelta(days=7),
        session_lifetime=timedelta(days=14),
        signup=SignUp.CLOSED,
        admin_email=None,
        admin_password=None,
        smtp_url=None,
        mail_from=None,
        return_urls=None,
        product_name="Keystead",
        support_url=None,
        docs_url=None,
    )


def test_every_setting_can_be_given():
    assert GOOD.keys() == {setting.name for setting in SETTINGS}
    assert load_settings(GOOD) == Settings(
        data=Path("/var/lib/keystead"),
        database_url=DATABASE_URL,
        host="::",
        port=9000,
        workers=4,
        internal_listen="[::1]:8421",
        public_url="https://keys.example.com/base",
        insecure=True,
        trusted_proxies=("10.0.3.7/32", "2001:db8::/64"),
        node_name="eu-1.keys_A",
        fresh_for=timedelta(seconds=5),
        stale_limit=timedelta(minutes=10),
        token_prefix="acme",
        token_places=(Place.X_API_KEY,),
        secret_key=SECRET_KEY,
        root_key=ROOT,
        management_rate_per_minute=60,
        management_burst=5,
        max_keys_per_app=7,
        max_apps_per_organization=8,
        max_members_per_organization=9,
        ephemeral_retention=timedelta(hours=36),
        session_lifetime=timedelta(hours=12),
        signup=SignUp.OPEN,
        admin_email="ada@example.com",
        admin_password=ADMIN_PASSWORD,
        smtp_url=SMTP_URL,
        mail_from="Acme keys <keys@acme.example>",
        return_urls=("https://app.acme.example/account", "http://localhost:3000"),
        product_name="Acme keys",
        support_url="mailto:help@acme.example",
        docs_url="https://docs.acme.example/",
    )


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_every_setting_can_be_given_as_a_file(setting, tmp_path):
    file = tmp_path / "value"
    file.write_text(GOOD[setting.name] + "\n")
    loaded = load_settings({f"{setting.name}_FILE": str(file)})
    assert getattr(loaded, setting.field) == getattr(load_settings(GOOD), setting.field)


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_an_empty_variable_counts_as_unset(setting):
    assert load_settings({setting.name: "", f"{setting.name}_FILE": ""}) == Settings()


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_a_value_as_shown_reads_as_the_same_value(setting):
    for environ in ({}, GOOD):
        loaded = load_settings(environ)
        value = getattr(loaded, setting.field)
        if value is not None and not isinstance(value, Token):
            assert load_settings({setting.name: shown(value)}) == load_settings(
                {setting.name: environ[setting.name]} if environ else {}
            )


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", True), ("true", True), ("YES", True), ("0", False), ("False", False), ("no", False)],
)
def test_a_boolean_is_one_of_six_words_in_any_case(text, value):
    assert load(insecure=text).insecure is value


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("0", timedelta()),
        ("90", timedelta(seconds=90)),
        ("90s", timedelta(seconds=90)),
        ("5m", timedelta(minutes=5)),
        ("12h", timedelta(hours=12)),
        ("30d", timedelta(days=30)),
        ("999999999d", timedelta(days=999_999_999)),
    ],
)
def test_a_duration_is_seconds_or_has_a_unit(text, duration):
    assert make_duration(text, field="d") == duration


@pytest.mark.parametrize("text", ["", "-1", "+1", "1.5h", "1w", "h", "1 h", "1H", "1h30m", "٣", "9999999999"])
def test_no_other_duration_is_read(text):
    with pytest.raises(InvalidInput, match="90s, 5m, 12h or 30d"):
        make_duration(text, field="d")


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("https://keys.example.com", "https://keys.example.com"),
        ("https://keys.example.com/", "https://keys.example.com"),
        ("HTTPS://Keys.Example.COM:443/", "https://keys.example.com"),
        ("http://localhost:8420", "http://localhost:8420"),
        ("https://example.com/Keys/v1/", "https://example.com/Keys/v1"),
        ("https://[2001:DB8::1]:8443/a", "https://[2001:db8::1]:8443/a"),
    ],
)
def test_a_public_url_is_stored_canonically_and_without_a_slash_at_its_end(text, stored):
    assert load(public_url=text).public_url == stored
    assert load(public_url=stored).public_url == stored


def test_lists_may_have_spaces_and_repeat_themselves():
    loaded = load(token_places=" X-API-Key , x-api-key", trusted_proxies="10.0.3.7, 10.0.3.7/32 ,::1")
    assert loaded.token_places == (Place.X_API_KEY,)
    assert loaded.trusted_proxies == ("10.0.3.7/32", "::1/128")


@pytest.mark.parametrize(
    "listen",
    [
        "127.0.0.1:8421",
        "[::1]:1",
        "0.0.0.0:65535",
        "[2001:db8::5]:8421",
        "keys.internal:8421",
        "unix:/run/keystead/internal.sock",
        "unix:/a b",
    ],
)
def test_an_internal_listener_is_a_host_with_a_port_or_a_unix_socket(listen):
    assert load(internal_listen=listen).internal_listen == listen


@pytest.mark.parametrize("name", ["a", "eu-1", "Keys.example_2", "7", "-", "n" * 64])
def test_a_node_name_is_letters_digits_dots_hyphens_and_underscores(name):
    assert load(node_name=name).node_name == name


@pytest.mark.parametrize("count", [1, 2, 128])
def test_workers_are_from_1_to_128(count):
    assert load(workers=str(count)).workers == count


@pytest.mark.parametrize(
    ("fresh_for", "stale_limit"),
    [("1s", "1s"), ("1", "1d"), ("1d", "1d"), ("5m", "300s"), ("2s", "3s")],
)
def test_a_node_may_be_stale_as_soon_as_it_is_no_longer_fresh(fresh_for, stale_limit):
    loaded = load(fresh_for=fresh_for, stale_limit=stale_limit)
    assert loaded.fresh_for == make_duration(fresh_for, field="d")
    assert loaded.stale_limit == make_duration(stale_limit, field="d")


@pytest.mark.parametrize(
    "environ",
    [
        {"fresh_for": "10s", "stale_limit": "9s"},
        {"stale_limit": "1s"},
        {"fresh_for": "301s"},
    ],
    ids=["both given", "below the default", "the default is below"],
)
def test_a_node_is_never_stale_while_it_is_fresh(environ):
    with pytest.raises(Misconfigured, match="must not be below KEYSTEAD_FRESH_FOR, which is") as caught:
        load(**environ)
    assert caught.value.setting == "KEYSTEAD_STALE_LIMIT"


@pytest.mark.parametrize(
    ("name", "text", "fix"),
    [
        ("DATA", "~/keystead", "whole path"),
        ("DATABASE_URL", "postgres://u@h/d", "postgresql://user@host"),
        ("DATABASE_URL", "postgresql+asyncpg://u@h/d", "postgresql://user@host"),
        ("DATABASE_URL", "sqlite:///x.db", "unset it to use SQLite"),
        ("DATABASE_URL", "keystead", "postgresql://user@host"),
        ("DATABASE_URL", "postgresql:/u@h/d", "postgresql://user@host"),
        ("DATABASE_URL", "postgresql://u@h:port/d", "%2F"),
        ("DATABASE_URL", "postgresql://u@[h/d", "%2F"),
        ("DATABASE_URL", "postgresql://u@h", "with one database"),
        ("DATABASE_URL", "postgresql://u@h/", "with one database"),
        ("DATABASE_URL", "postgresql://u:p#w@h/d", "with one database"),
        ("DATABASE_URL", "postgresql://u@h/d/e", "with one database"),
        ("HOST", "127.0.0.1:8420", "KEYSTEAD_PORT"),
        ("HOST", "[::1]", "KEYSTEAD_PORT"),
        ("HOST", "http://localhost", "KEYSTEAD_PORT"),
        ("PORT", "0", "1 to 65535"),
        ("PORT", "65536", "1 to 65535"),
        ("PORT", "8_420", "1 to 65535"),
        ("PORT", "٣", "1 to 65535"),
        ("PORT", "tcp://10.0.0.1:8420", "enableServiceLinks"),
        ("WORKERS", "0", "1 to 128"),
        ("WORKERS", "129", "1 to 128"),
        ("WORKERS", "auto", "1 to 128"),
        ("INTERNAL_LISTEN", "8421", "host:port"),
        ("INTERNAL_LISTEN", "127.0.0.1", "host:port"),
        ("INTERNAL_LISTEN", ":8421", "host:port"),
        ("INTERNAL_LISTEN", "::1:8421", "host:port"),
        ("INTERNAL_LISTEN", "http://127.0.0.1:8421", "host:port"),
        ("INTERNAL_LISTEN", "[keys.internal]:8421", "host:port"),
        ("INTERNAL_LISTEN", "[::1::1]:8421", "an address or a host name"),
        ("INTERNAL_LISTEN", "key s:8421", "an address or a host name"),
        ("INTERNAL_LISTEN", "127.0.0.1:0", "1 to 65535"),
        ("INTERNAL_LISTEN", "127.0.0.1:65536", "1 to 65535"),
        ("INTERNAL_LISTEN", "unix:", "unix:/run/keystead.sock"),
        ("INTERNAL_LISTEN", "unix:run/keystead.sock", "unix:/run/keystead.sock"),
        ("PUBLIC_URL", "keys.example.com", "http or https"),
        ("PUBLIC_URL", "ftp://keys.example.com", "http or https"),
        ("PUBLIC_URL", "https://keys.example.com/?a=b", "http or https"),
        ("PUBLIC_URL", "https://keys.example.com/?", "http or https"),
        ("PUBLIC_URL", "https://keys.example.com/#a", "http or https"),
        ("PUBLIC_URL", "https://user:pw@keys.example.com", "http or https"),
        ("PUBLIC_URL", "https://*.example.com", "http or https"),
        ("PUBLIC_URL", "https://keys.example.com/a/../b", "http or https"),
        ("PUBLIC_URL", "https://keys.example.com//a", "http or https"),
        ("PUBLIC_URL", "https://keys.example.com/a%20b", "http or https"),
        ("PUBLIC_URL", "https://schlüssel.example", "ASCII"),
        ("PUBLIC_URL", "https://keys.example.com:99999", "http or https"),
        ("PUBLIC_URL", "https://", "http or https"),
        ("INSECURE", "on", "1, true or yes"),
        ("TRUSTED_PROXIES", "10.0.0.0/8,proxy", "such as 192.0.2.7"),
        ("TRUSTED_PROXIES", "10.0.0.1/8", "write 10.0.0.0/8"),
        ("TRUSTED_PROXIES", ",", "such as 192.0.2.7"),
        ("NODE_NAME", "n" * 65, "1 to 64"),
        ("NODE_NAME", "eu 1", "1 to 64"),
        ("NODE_NAME", "schlüssel", "1 to 64"),
        ("NODE_NAME", "eu/1", "1 to 64"),
        ("FRESH_FOR", "0", "from 1s to 1d"),
        ("FRESH_FOR", "500ms", "90s, 5m, 12h or 30d"),
        ("FRESH_FOR", "25h", "from 1s to 1d"),
        ("STALE_LIMIT", "0s", "from 1s to 1d"),
        ("STALE_LIMIT", "86401", "from 1s to 1d"),
        ("STALE_LIMIT", "never", "90s, 5m, 12h or 30d"),
        ("TOKEN_PREFIX", "ACME", "lower-case"),
        ("TOKEN_PLACES", "cookie", "authorization, x-api-key"),
        ("TOKEN_PLACES", "authorization,", "authorization, x-api-key"),
        ("SECRET_KEY", "x" * 31, "at least 32"),
        ("ROOT_KEY", "admin", "copy the root token again"),
        ("ROOT_KEY", ROOT.reveal()[:-1], "copy the root token again"),
        ("ROOT_KEY", ROOT.reveal()[:-1] + "_", "copy the root token again"),
        ("MANAGEMENT_RATE_PER_MINUTE", "0", "1 to 1000000"),
        ("MANAGEMENT_BURST", "many", "1 to 1000000"),
        ("MAX_KEYS_PER_APP", "-1", "1 to 1000000"),
        ("MAX_APPS_PER_ORGANIZATION", "1000001", "1 to 1000000"),
        ("MAX_MEMBERS_PER_ORGANIZATION", "1.5", "1 to 1000000"),
        ("EPHEMERAL_RETENTION", "1w", "30d"),
        ("EPHEMERAL_RETENTION", "3651d", "at most 3650d"),
        ("HOST", "127.0.0.1\nevil", "one line"),
    ],
)
def test_what_is_wrong_is_refused_with_the_name_and_the_fix(name, text, fix):
    with pytest.raises(Misconfigured) as caught:
        load_settings({f"KEYSTEAD_{name}": text})
    assert caught.value.setting.partition("[")[0] == f"KEYSTEAD_{name}"
    assert fix in caught.value.problem


def test_a_root_key_must_be_a_root_token():
    secret = make_token("ks", TokenKind.SECRET, Environment.LIVE, bytes(32))
    with pytest.raises(Misconfigured, match="another kind of key"):
        load(root_key=secret.reveal())


@pytest.mark.parametrize("index", range(len(ROOT.reveal())))
def test_a_root_key_with_one_wrong_character_is_refused_without_repeating_it(index):
    text = ROOT.reveal()
    wrong = text[:index] + ("a" if text[index] != "a" else "b") + text[index + 1 :]
    with pytest.raises(Misconfigured) as caught:
        load(root_key=wrong)
    assert wrong[-8:] not in str(caught.value)


def test_a_problem_in_a_file_names_the_variable_of_the_file(tmp_path):
    file = tmp_path / "port"
    file.write_text("none\n")
    with pytest.raises(Misconfigured, match=r"^KEYSTEAD_PORT_FILE: write a whole number"):
        load(port_file=str(file))


@pytest.mark.parametrize(
    ("content", "fix"),
    [
        (b"", "an empty file"),
        (b"\n", "an empty file"),
        (b"\xff" * 40, "not UTF-8"),
        (b"\xef\xbb\xbf" + b"x" * 32, "one line"),
        (b"x" * 32 + b"\n\n", "one line"),
    ],
    ids=["empty", "only a line break", "bytes", "byte order mark", "two lines"],
)
def test_a_file_must_hold_one_line_of_text(tmp_path, content, fix):
    file = tmp_path / "secret"
    file.write_bytes(content)
    with pytest.raises(Misconfigured, match=fix) as caught:
        load(secret_key_file=str(file))
    assert caught.value.setting == "KEYSTEAD_SECRET_KEY_FILE"


def test_only_one_line_break_is_taken_from_the_end_of_a_file(tmp_path):
    file = tmp_path / "secret"
    file.write_bytes(b" " + b"x" * 32 + b"\r\n")
    assert load(secret_key_file=str(file)).secret_key == " " + "x" * 32


def test_a_file_that_is_absent_is_refused_without_naming_what_may_be_the_secret_itself():
    with pytest.raises(Misconfigured, match="No such file") as caught:
        load(secret_key_file=SECRET_KEY)
    assert SECRET_KEY not in str(caught.value)


def test_a_value_and_a_file_for_the_same_setting_are_refused():
    with pytest.raises(Misconfigured, match=r"^KEYSTEAD_HOST: is given twice.*KEYSTEAD_HOST_FILE"):
        load(host="127.0.0.1", host_file="/etc/keystead/host")


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("KEYSTEAD_PROT", "did you mean KEYSTEAD_PORT?"),
        ("KEYSTEAD_TRUSTED_PROXY", "did you mean KEYSTEAD_TRUSTED_PROXIES?"),
        ("KEYSTEAD_DATABASE", "did you mean KEYSTEAD_DATA"),
        ("KEYSTEAD_SECRETKEY_FILE", "did you mean KEYSTEAD_SECRET_KEY_FILE?"),
        ("KEYSTEAD_XYZZY", "docs/settings.md"),
        ("KEYSTEAD_port", "did you mean|docs/settings.md"),
        ("KEYSTEAD_SOURCES", "did you mean|docs/settings.md"),
        ("KEYSTEAD_URL_FILE", "did you mean"),
        ("KEYSTEAD_SERVICE_HOST", "enableServiceLinks"),
        ("KEYSTEAD_SERVICE_PORT_HTTP", "enableServiceLinks"),
        ("KEYSTEAD_PORT_8420_TCP_ADDR", "enableServiceLinks"),
    ],
)
def test_an_unknown_name_stops_the_start_with_a_suggestion(name, suggestion):
    with pytest.raises(Misconfigured, match=suggestion) as caught:
        load_settings({name: "some value"})
    assert caught.value.setting == name
    assert "some value" not in str(caught.value)


def test_what_belongs_to_the_command_line_or_to_others_is_let_be():
    others = {"PATH": "/bin", "keystead_port": "x", "KEYSTEADY": "x"}
    assert load_settings({**dict.fromkeys(CLIENT_SETTINGS, "x"), **others}) == Settings()


def test_an_option_wins_over_the_environment_and_is_what_a_fault_names():
    environ = {"KEYSTEAD_PORT": "9000", "KEYSTEAD_HOST": "::1"}
    loaded = load_settings(environ, port=9001, host=None, data=Path("/srv"))
    assert (loaded.port, loaded.host, loaded.data) == (9001, "::1", Path("/srv"))
    with pytest.raises(Misconfigured, match=r"^--port: write a whole number"):
        load_settings(environ, port=0)
    with pytest.raises(Misconfigured, match=r"^--public-url: "):
        load_settings(environ, public_url="x")


def test_an_option_that_is_no_setting_is_a_fault_of_ours():
    with pytest.raises(TypeError, match="prot"):
        load_settings({}, prot=1)


def test_no_secret_is_in_repr_or_in_a_risk():
    loaded = load_settings(GOOD)
    texts = [repr(loaded), *map(str, risky(loaded))]
    for secret in (SECRET_KEY, ROOT.reveal(), PASSWORD):
        assert not any(secret in text for text in texts)


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://{PASSWORD}/x@h/d",
        f"postgresql://u:{PASSWORD}?x@h/d",
        f"postgresql://u:{PASSWORD}#x@h/d",
        f"postgresql://u:[{PASSWORD}@h/d",
        f"mysql://u:{PASSWORD}@h/d",
    ],
)
def test_a_database_url_that_cannot_be_read_is_not_repeated(url):
    with pytest.raises(Misconfigured) as caught:
        load(database_url=url)
    assert PASSWORD not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "localhost", "LocalHost"]
)
def test_a_server_on_loopback_starts_without_more(host):
    assert is_loopback(host)
    require_startable(load(host=host))


@pytest.mark.parametrize("listen", ["0.0.0.0:8421", "[::]:8421", "10.0.0.5:8421"])
def test_an_internal_listener_off_loopback_needs_the_same(listen):
    with pytest.raises(Misconfigured, match="KEYSTEAD_PUBLIC_URL"):
        require_startable(load(internal_listen=listen))
    require_startable(load(internal_listen=listen, public_url="https://keys.example.com"))
    require_startable(load(internal_listen=listen, insecure="1"))


@pytest.mark.parametrize("listen", ["127.0.0.1:8421", "[::1]:8421", "localhost:8421", "unix:/run/ks.sock"])
def test_an_internal_listener_on_this_machine_starts_without_more(listen):
    require_startable(load(internal_listen=listen))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "2001:db8::1", "keys.internal", "127.1"])
def test_a_server_off_loopback_needs_an_https_public_url_or_insecure(host):
    assert not is_loopback(host)
    for public_url in ("", "http://keys.example.com"):
        with pytest.raises(Misconfigured, match="https address") as caught:
            require_startable(load(host=host, public_url=public_url))
        assert caught.value.setting == "KEYSTEAD_PUBLIC_URL"
    require_startable(load(host=host, public_url="https://keys.example.com"))
    require_startable(load(host=host, insecure="1"))


@pytest.mark.parametrize(
    ("environ", "setting"),
    [
        ({"insecure": "1"}, "KEYSTEAD_INSECURE"),
        ({"public_url": "http://keys.example.com", "internal_listen": "unix:/x"}, "KEYSTEAD_PUBLIC_URL"),
        ({"public_url": "https://keys.example.com"}, "KEYSTEAD_INTERNAL_LISTEN"),
        ({"internal_listen": "10.0.0.5:8421"}, "KEYSTEAD_INTERNAL_LISTEN"),
        ({"internal_listen": "[2001:db8::5]:8421"}, "KEYSTEAD_INTERNAL_LISTEN"),
        ({"trusted_proxies": "10.0.0.0/15"}, "KEYSTEAD_TRUSTED_PROXIES"),
        ({"trusted_proxies": "::1,2001:db8::/47"}, "KEYSTEAD_TRUSTED_PROXIES"),
        ({"trusted_proxies": "0.0.0.0/0"}, "KEYSTEAD_TRUSTED_PROXIES"),
        ({"root_key": ROOT.reveal()}, "KEYSTEAD_ROOT_KEY"),
    ],
    ids=[
        "insecure",
        "http",
        "public alone",
        "internal IPv4",
        "internal IPv6",
        "wide IPv4",
        "wide IPv6",
        "all of IPv4",
        "root key",
    ],
)
def test_what_is_risky_is_said_with_its_fix(environ, setting):
    (risk,) = risky(load(**environ))
    assert risk.setting == setting
    assert str(risk) == f"{setting} {risk.problem}. {risk.fix}."


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"public_url": "https://keys.example.com", "internal_listen": "127.0.0.1:8421"},
        {"public_url": "http://localhost:8420", "internal_listen": "[::1]:8421"},
        {"public_url": "http://[::1]:8420", "internal_listen": "unix:/run/keystead.sock"},
        {"trusted_proxies": "10.0.0.0/16,2001:db8::/48,127.0.0.0/8"},
    ],
)
def test_what_is_not_risky_is_not_warned_of(environ):
    assert risky(load(**environ)) == []


ADMIN = {"admin_email": "ada@example.com", "admin_password": ADMIN_PASSWORD}
MAIL = {"smtp_url": SMTP_URL, "mail_from": "keys@acme.example"}


@pytest.mark.parametrize(
    "given", [ADMIN, MAIL, {"smtp_url": SMTP_URL}, {"smtp_url": SMTP_URL, "signup": "open"}]
)
def test_what_belongs_together_starts_together(given):
    require_startable(load(**given))


@pytest.mark.parametrize(
    ("given", "sender"),
    [
        ({}, "Keystead <keystead@localhost>"),
        ({"public_url": "https://keys.acme.example/keys"}, "Keystead <keystead@keys.acme.example>"),
        (
            {"public_url": "http://127.0.0.1:8420", "product_name": "Acme keys"},
            "Acme keys <keystead@localhost>",
        ),
        (MAIL, "keys@acme.example"),
    ],
)
def test_mail_is_from_whom_the_provider_says_or_from_where_we_are(given, sender):
    assert load(**given).sender == sender


@pytest.mark.parametrize(
    ("given", "setting"),
    [
        ({"admin_email": "ada@example.com"}, "KEYSTEAD_ADMIN_PASSWORD"),
        ({"admin_password": ADMIN_PASSWORD}, "KEYSTEAD_ADMIN_EMAIL"),
        ({"mail_from": "keys@acme.example"}, "KEYSTEAD_SMTP_URL"),
        ({"signup": "open"}, "KEYSTEAD_SMTP_URL"),
        ({**ADMIN, "admin_password": PASSWORD}, "KEYSTEAD_ADMIN_PASSWORD"),
        ({**ADMIN, "admin_password": "ada@example.com"}, "KEYSTEAD_ADMIN_PASSWORD"),
    ],
)
def test_and_does_not_start_alone_nor_with_a_password_that_will_not_do(given, setting):
    with pytest.raises(Misconfigured) as caught:
        require_startable(load(**given))
    assert caught.value.setting == setting
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        *[("session_lifetime", it) for it in ("4m", "366d", "x")],
        *[("signup", it) for it in ("OPEN", "1", "no")],
        *[("admin_email", it) for it in ("ada", "ada@", "a b@c.example")],
        *[
            ("smtp_url", it)
            for it in ("mail.example.com", "http://a.example", "smtp://", "smtp://a:x", "smtp://a/b")
        ],
        *[("mail_from", it) for it in ("keys", "<>", "a@b@c", "keys@")],
        *[
            ("return_urls", it)
            for it in ("app.example.com", "https://a.example/?x", "https://a.example,", "/x")
        ],
        *[
            ("support_url", it)
            for it in ("help@acme.example", "mailto:help", "javascript:alert(1)", "ftp://a.example")
        ],
        *[("docs_url", it) for it in ("docs", "mailto:a@b.example", "https:///x")],
        ("product_name", "x" * 101),
    ],
)
def test_what_is_set_for_people_is_judged(setting, text):
    with pytest.raises(Misconfigured) as caught:
        load(**{setting: text})
    assert caught.value.setting == f"KEYSTEAD_{setting.upper()}"


@given(st.dictionaries(st.sampled_from(sorted(GOOD)), st.text(), max_size=3))
def test_whatever_stands_in_a_variable_is_read_or_misconfigured(environ):
    try:
        load_settings(environ)
    except Misconfigured as exc:
        assert exc.setting.startswith("KEYSTEAD_")  # noqa: PT017 - either way is right


def test_the_page_about_settings_is_up_to_date():
    assert settings_docs.PAGE.read_text(encoding="utf-8") == settings_docs.page(), "run `make docs`"


def test_the_page_names_every_setting():
    text = settings_docs.page()
    assert all(f"| `{name}` |" in text for name in [*(s.name for s in SETTINGS), *CLIENT_SETTINGS])


def test_the_page_has_no_row_that_a_bar_breaks():
    widths = {line.count("|") for line in settings_docs.page().splitlines() if line.startswith("|")}
    assert widths == {3, 5}


def test_check_tells_an_old_page_from_a_new_one(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(settings_docs, "PAGE", tmp_path / "docs" / "settings.md")
    assert settings_docs.main(["--check"]) == 1
    assert "make docs" in capsys.readouterr().err
    assert settings_docs.main([]) == 0
    assert settings_docs.main(["--check"]) == 0
    os.truncate(settings_docs.PAGE, 10)
    assert settings_docs.main(["--check"]) == 1
    assert settings_docs.main(["--chek"]) == 2
