"""Networks and proxies: which address is believed, and where it belongs."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from keystead.domain.errors import InvalidInput
from keystead.domain.networks import (
    client_address,
    make_network,
    make_networks,
    network_allowed,
    networks_cover,
    parse_address,
)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("192.0.2.7", "192.0.2.7/32"),
        ("192.0.2.7/32", "192.0.2.7/32"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("2001:DB8::/32", "2001:db8::/32"),
        ("2001:db8:0:0::1", "2001:db8::1/128"),
        ("::/0", "::/0"),
        ("::ffff:192.0.2.7", "192.0.2.7/32"),
        ("::ffff:c000:207/128", "192.0.2.7/32"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("::ffff:0:0/96", "0.0.0.0/0"),
        ("::fffe:0:0/95", "::fffe:0:0/95"),
        ("::1.2.3.4", "::102:304/128"),
    ],
)
def test_a_network_is_kept_in_canonical_form(text, canonical):
    assert make_network(text, field="n") == canonical
    assert make_network(canonical, field="n") == canonical


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("10.1.2.3/8", r"write 10\.0\.0\.0/8"),
        ("2001:db8::1/32", "write 2001:db8::/32"),
        ("::ffff:10.1.2.3/104", r"write 10\.0\.0\.0/8"),
        ("", "such as"),
        ("10.0.0.0/", "such as"),
        ("/8", "such as"),
        ("10.0.0.0/33", "such as"),
        ("::/129", "such as"),
        ("10.0.0.0/08", "such as"),
        ("10.0.0.0/+8", "such as"),
        ("10.0.0.0/-1", "such as"),
        ("10.0.0.0/8/8", "such as"),
        ("10.0.0.0/255.0.0.0", "such as"),
        ("10.0.0.0/0.255.255.255", "such as"),
        ("10.0.0.0/\u0668", "such as"),
        ("10.0.0", "such as"),
        ("10", "such as"),
        ("010.0.0.1", "such as"),
        ("0x0a.0.0.1", "such as"),
        ("10.0.0.256", "such as"),
        (" 10.0.0.1", "such as"),
        ("10.0.0.1\n", "such as"),
        ("\u0661.1.1.1", "such as"),
        ("fe80::1%eth0", "such as"),
        ("fe80::%eth0/64", "such as"),
        ("[::1]", "such as"),
        ("10.0.0.1:80", "such as"),
        ("example.com", "such as"),
        ("1" * 9000, "such as"),
    ],
    ids=lambda text: ascii(text)[:30],
)
def test_what_is_no_network_is_refused_with_the_fix(text, fix):
    with pytest.raises(InvalidInput, match=f"^n: .*{fix}"):
        make_network(text, field="n")


def test_networks_are_unique_and_keep_their_order():
    assert make_networks(["10.0.0.2", "10.0.0.1", "::ffff:10.0.0.2"], field="n") == (
        "10.0.0.2/32",
        "10.0.0.1/32",
    )


def test_a_list_has_at_most_50_networks():
    items = [f"10.0.0.{number}" for number in range(51)]
    assert len(make_networks(items[:50], field="n")) == 50
    with pytest.raises(InvalidInput, match="n: give at most 50; there are 51"):
        make_networks(items, field="n")


def test_the_faulty_network_of_a_list_is_named():
    with pytest.raises(InvalidInput, match=r"^networks\[1\]: "):
        make_networks(["10.0.0.1", "10.0.0.1/8"], field="networks")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.7", IPv4Address("192.0.2.7")),
        ("::ffff:192.0.2.7", IPv4Address("192.0.2.7")),
        ("::FFFF:c000:0207", IPv4Address("192.0.2.7")),
        ("2001:DB8::1", IPv6Address("2001:db8::1")),
        ("::1", IPv6Address("::1")),
        ("::192.0.2.7", IPv6Address("::c000:207")),
    ],
)
def test_an_address_is_read_and_a_mapped_one_unmapped(text, address):
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "1",
        "1.2.3",
        "1.2.3.4/32",
        "1.2.3.4:5",
        "[::1]",
        "fe80::1%1",
        "unknown",
        "01.2.3.4",
        "1.2.3.4 ",
        "::g",
    ],
)
def test_what_is_no_address_is_none(text):
    assert parse_address(text) is None


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("9.255.255.255", False),
        ("10.0.0.0", True),
        ("10.255.255.255", True),
        ("11.0.0.0", False),
        ("::ffff:10.1.2.3", True),
        ("2001:db8::", True),
        ("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", True),
        ("2001:db9::", False),
        ("2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", False),
        ("::a01:203", False),
    ],
)
def test_a_network_reaches_from_its_first_to_its_last_address(address, allowed):
    networks = make_networks(["10.0.0.0/8", "2001:db8::/32"], field="n")
    assert network_allowed(ip_address(address), networks) is allowed


@pytest.mark.parametrize("network", ["::/0", "::fffe:0:0/95", "::/64"])
def test_an_ipv6_network_holds_no_ipv4_client_however_it_arrives(network):
    networks = make_networks([network], field="n")
    assert not network_allowed(IPv4Address("192.0.2.7"), networks)
    assert not network_allowed(IPv6Address("::ffff:192.0.2.7"), networks)


def test_nothing_is_in_an_empty_list():
    assert not network_allowed(IPv4Address("192.0.2.7"), ())


@pytest.mark.parametrize(
    ("outer", "inner", "covered"),
    [
        ([], [], True),
        ([], ["10.0.0.0/8"], True),
        (["0.0.0.0/0", "::/0"], [], False),
        (["10.0.0.0/8"], ["10.0.0.0/8"], True),
        (["10.0.0.0/8"], ["10.1.0.0/16", "10.2.3.4"], True),
        (["10.0.0.0/8"], ["10.1.0.0/16", "11.0.0.0"], False),
        (["10.0.0.0/8"], ["8.0.0.0/5"], False),
        (["10.0.0.0/9", "10.128.0.0/9"], ["10.0.0.0/8"], False),
        (["::/0"], ["10.0.0.0/8"], False),
        (["0.0.0.0/0"], ["2001:db8::/32"], False),
        (["0.0.0.0/0"], ["::ffff:10.0.0.0/104"], True),
    ],
)
def test_narrower_networks_are_told_from_wider_ones(outer, inner, covered):
    assert networks_cover(make_networks(outer, field="n"), make_networks(inner, field="n")) is covered


NETWORKS = st.sampled_from(
    [
        "0.0.0.0/0",
        "10.0.0.0/8",
        "10.1.0.0/16",
        "10.1.2.3",
        "::/0",
        "::/1",
        "2001:db8::/32",
        "::ffff:10.0.0.0/104",
        "::a",
    ],
)
LISTS = st.lists(NETWORKS, max_size=3).map(lambda items: make_networks(items, field="n"))
ADDRESSES = [
    *map(ip_address, ["9.9.9.9", "10.0.0.1", "10.1.9.9", "10.1.2.3", "::a", "2001:db8::1", "ffff::"])
]


@given(outer=LISTS, inner=LISTS)
def test_a_covered_list_allows_no_address_that_the_outer_does_not(outer, inner):
    assume(networks_cover(outer, inner))
    for address in ADDRESSES:
        if not inner or network_allowed(address, inner):
            assert not outer or network_allowed(address, outer)


TRUSTED = make_networks(["10.0.0.0/8", "::1"], field="n")


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("192.0.2.7, 10.0.0.1", "192.0.2.7"),
        ("192.0.2.7,10.0.0.1,\t::1", "192.0.2.7"),
        ("6.6.6.6, 192.0.2.7, 10.0.0.1", "192.0.2.7"),
        ("10.6.6.6, 192.0.2.7", "192.0.2.7"),
        ("garbage, 192.0.2.7, 10.0.0.1", "192.0.2.7"),
        (", 192.0.2.7", "192.0.2.7"),
        ("192.0.2.7:443, 10.0.0.1:80", "192.0.2.7"),
        ("[2001:db8::1]:443, [::1]:80", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("192.0.2.7, ::ffff:10.0.0.1", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("", None),
        (",", None),
        ("192.0.2.7,", None),
        ("192.0.2.7, , 10.0.0.1", None),
        ("192.0.2.7, unknown, 10.0.0.1", None),
        ("192.0.2.7, _hidden", None),
        ("10.0.0.1", None),
        ("10.0.0.1, ::1", None),
        ("192.0.2.7, fe80::1%eth0", None),
        ("192.0.2.7 10.0.0.1", None),
        ("192.0.2.7\n", None),
        ("192.0.2.7:", None),
        ("192.0.2.7:x", None),
        ("192.0.2.7:123456", None),
        ("[192.0.2.7]:80", None),
        ("[::1", None),
        ('"192.0.2.7"', None),
        ("for=192.0.2.7", None),
        ("192.0.2.0/24", None),
    ],
    ids=ascii,
)
def test_the_rightmost_address_that_is_no_trusted_proxy_is_the_client(value, address):
    assert client_address(value, TRUSTED) == (None if address is None else ip_address(address))


def test_without_trusted_proxies_the_last_entry_is_the_client():
    assert client_address("192.0.2.7, 10.0.0.1", ()) == IPv4Address("10.0.0.1")


@pytest.mark.parametrize(("proxies", "found"), [(31, True), (32, False), (100_000, False)])
def test_only_the_last_32_entries_are_read(proxies, found):
    assert (client_address("192.0.2.7" + ",10.0.0.1" * proxies, TRUSTED) is not None) is found


@given(st.text(alphabet="0123456789abcf.:[], %unkow", max_size=40))
def test_what_a_client_claims_never_changes_what_the_proxy_saw(claim):
    assert client_address(f"{claim}, 192.0.2.7, 10.0.0.1", TRUSTED) == IPv4Address("192.0.2.7")
