"""Two ways to the same API: a server, or the data directory without one."""

import os

import httpx
import pytest

from keystead.cli.connection import open_client
from keystead.cli.exits import Failure
from keystead.domain.errors import Misconfigured

URL = "https://keys.example.com/base"
TOKEN = "the-token"


async def headers_sent(server: str | None, **environ: str) -> tuple[str, str | None]:
    async with open_client(server, environ) as client:
        request = client.build_request("GET", "/api/v1/scopes")
    return str(request.url), request.headers.get("Authorization")


async def test_server_is_asked_below_its_base_path_with_the_token():
    sent = await headers_sent(None, KEYSTEAD_URL=URL, KEYSTEAD_TOKEN=TOKEN)
    assert sent == ("https://keys.example.com/base/api/v1/scopes", "Bearer the-token")


async def test_option_wins_over_the_environment():
    url, _ = await headers_sent("http://localhost:1", KEYSTEAD_URL=URL, KEYSTEAD_TOKEN=TOKEN)
    assert url == "http://localhost:1/api/v1/scopes"


async def test_token_may_stand_in_a_file(tmp_path):
    file = tmp_path / "token"
    file.write_text("the-token\n")
    _, header = await headers_sent(URL, KEYSTEAD_TOKEN_FILE=str(file))
    assert header == "Bearer the-token"


async def test_server_without_a_token_is_not_asked():
    with pytest.raises(Failure, match="KEYSTEAD_TOKEN") as caught:
        await headers_sent(URL)
    assert caught.value.code == 3


@pytest.mark.parametrize(
    ("environ", "setting"),
    [
        ({"KEYSTEAD_TOKEN": "a", "KEYSTEAD_TOKEN_FILE": "b"}, "KEYSTEAD_TOKEN"),
        ({"KEYSTEAD_TOKEN_FILE": "/nowhere/at/all"}, "KEYSTEAD_TOKEN_FILE"),
        ({"KEYSTEAD_TOKEN": "two words"}, "KEYSTEAD_TOKEN"),
        ({"KEYSTEAD_TOKEN": "a\r\nHost: b"}, "KEYSTEAD_TOKEN"),
        ({"KEYSTEAD_TOKEN": "é"}, "KEYSTEAD_TOKEN"),
    ],
)
async def test_token_that_cannot_be_one_is_misconfigured_and_not_repeated(environ, setting):
    with pytest.raises(Misconfigured) as caught:
        await headers_sent(URL, **environ)
    assert caught.value.setting == setting
    assert not any(value in str(caught.value) for value in environ.values() if len(value) > 1)


BAD_URLS = [
    "keys.example.com",
    "ftp://keys.example.com",
    "https://",
    "https://user:pass@keys.example.com",
    "https://user@keys.example.com",
    "https://keys.example.com?x=1",
    "https://keys.example.com:99999",
    "https://[::1",
    "https://a b.example.com",
]


@pytest.mark.parametrize("url", BAD_URLS)
async def test_address_that_cannot_be_a_servers_is_misconfigured(url):
    with pytest.raises(Misconfigured) as caught:
        await headers_sent(None, KEYSTEAD_URL=url, KEYSTEAD_TOKEN=TOKEN)
    assert caught.value.setting == "KEYSTEAD_URL"


@pytest.mark.parametrize("url", BAD_URLS)
async def test_option_that_cannot_be_an_address_is_invalid(url):
    with pytest.raises(Failure) as caught:
        await headers_sent(url, KEYSTEAD_TOKEN=TOKEN)
    assert caught.value.code == 2


@pytest.mark.parametrize("name", ["KEYSTEAD_TOKEN", "KEYSTEAD_TOKEN_FILE"])
async def test_who_names_a_key_is_never_taken_for_the_operator(name):
    with pytest.raises(Misconfigured, match="KEYSTEAD_URL") as caught:
        await headers_sent(None, **{name: "x"})
    assert caught.value.setting == name


def test_redirect_is_not_followed_with_the_token(run, environ):
    seen = []

    def move(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.host)
        return httpx.Response(302, headers={"Location": "https://elsewhere.example/"})

    made = httpx.AsyncClient

    def client(**options):
        return made(**options, transport=httpx.MockTransport(move))

    environ.setattr("httpx.AsyncClient", client)
    environ.setenv("KEYSTEAD_TOKEN", TOKEN)
    result = run("org", "list", "--server", URL)
    assert (result.code, seen) == (70, ["keys.example.com"])
    assert TOKEN not in result.err


def test_server_that_is_not_there_is_unavailable(run, environ):
    environ.setenv("KEYSTEAD_TOKEN", TOKEN)
    result = run("org", "list", "--server", "http://127.0.0.1:1")
    assert result.code == 75
    assert os.environ["KEYSTEAD_TOKEN"] not in result.err
