"""Where an API is: addresses in one form, and clear words for what is none."""

import pytest

from keystead.domain.base_url import MAX_BASE_URL_LENGTH, make_base_url
from keystead.domain.errors import InvalidInput


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("https://api.example.com", "https://api.example.com"),
        ("https://api.example.com/", "https://api.example.com"),
        ("https://api.example.com/v1/", "https://api.example.com/v1"),
        ("https://api.example.com/v1//", "https://api.example.com/v1"),
        ("HTTPS://API.Example.com:443/V1", "https://api.example.com/V1"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://127.0.0.1:80/a/b", "http://127.0.0.1/a/b"),
        ("https://[::1]:8443/v%201", "https://[::1]:8443/v%201"),
        ("https://api.example.com/~acme/v1.2/a:b@c", "https://api.example.com/~acme/v1.2/a:b@c"),
    ],
)
def test_an_address_is_kept_in_one_form_which_stays_as_it_is(text: str, made: str):
    assert make_base_url(text) == made
    assert make_base_url(made) == made


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "write 1 to 300 characters"),
        ("api.example.com", "write an absolute address"),
        ("/v1", "write an absolute address"),
        ("//api.example.com", "write an absolute address"),
        ("ftp://api.example.com", "write an absolute address"),
        ("javascript:alert(1)", "write an absolute address"),
        (" https://api.example.com", "write an absolute address"),
        ("https://", "write a host"),
        ("https:///v1", "write a host"),
        ("https://*.example.com", "write a host"),
        ("https://api.example.com:0", "write a host"),
        ("https://api.example.com:65536", "write a host"),
        ("https://api.example.com:", "write a host"),
        ("https://api..example.com", "write a host"),
        ("https://999.1.1.1", "write a host"),
        ("https://ada:secret@api.example.com", "leave the user name and password out"),
        ("https://@api.example.com", "leave the user name and password out"),
        ("https://api.example.com?x=1", "leave out what begins with ?"),
        ("https://api.example.com/v1#top", "leave out what begins with #"),
        ("https://bücher.example", "ASCII form"),
        ("https://api.example.com/v 1", "write a plain path"),
        ("https://api.example.com/a//b", "write a plain path"),
        ("https://api.example.com/a/../b", "write a plain path"),
        ("https://api.example.com/.", "write a plain path"),
        ("https://api.example.com/100%", "write a plain path"),
        ("https://api.example.com/$(id)", "write a plain path"),
        ('https://api.example.com/"', "write a plain path"),
        ("https://api.example.com/`id`", "write a plain path"),
        ("https://api.example.com/v1\n", "write a plain path"),
    ],
)
def test_what_is_no_address_is_refused_with_the_field_and_the_fix(text: str, says: str):
    with pytest.raises(InvalidInput) as caught:
        make_base_url(text)
    assert caught.value.field == "api_base_url"
    assert caught.value.problem.startswith(says) or says in caught.value.problem


def test_the_longest_address_is_taken_and_one_letter_more_is_not():
    longest = "https://api.example.com/".ljust(MAX_BASE_URL_LENGTH, "a")
    assert make_base_url(longest) == longest
    with pytest.raises(InvalidInput, match="300 characters"):
        make_base_url(f"{longest}a")
