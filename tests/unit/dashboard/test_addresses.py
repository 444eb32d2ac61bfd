"""Addresses are relative, and lead to the same place from wherever a page lies and under any base path."""

from urllib.parse import urljoin

import pytest

from keystead.dashboard.addresses import relative, steps_of


@pytest.mark.parametrize("base", ["", "/keys", "/a/b"], ids=["root", "base path", "deep base path"])
@pytest.mark.parametrize("page", ["/", "/apps", "/apps/", "/apps/app_1/keys", "/apps/a%2Fb/keys"])
@pytest.mark.parametrize("target", ["/", "/apps", "/keys/key_1/roll", "/profile#sessions", "/a:b"])
def test_an_address_leads_to_its_path_from_any_page(base, page, target):
    address = relative(target, steps=steps_of(page))
    assert not address.startswith("/")
    assert urljoin(f"https://acme.example{base}{page}", address) == f"https://acme.example{base}{target}"


def test_a_query_stands_before_the_fragment_without_what_is_none():
    address = relative("/apps#top", steps=0, query={"q": "a b&c", "page": None, "type": ["x", "y"]})
    assert address == "./apps?q=a+b%26c&type=x&type=y#top"


@pytest.mark.parametrize("path", ["apps", "", "//evil.example", "https://evil.example"])
def test_what_is_no_path_of_ours_is_refused(path):
    with pytest.raises(ValueError, match="not a path of ours"):
        relative(path, steps=1)


@pytest.mark.parametrize("path", ["/a b", "/a\r\nb", "/a\0", "/é", "/\ufffd", '/a"b', "/<b>", "/a\\b"])
def test_nothing_in_a_path_ends_what_its_address_stands_in(path):
    address = relative(path, steps=1)
    assert address.startswith("../")
    assert not set(address) & set(' \r\n\0"<>\\')
    assert address.isascii()
