"""One run of a command: ask the API, and print its answer."""

import sys
from http import HTTPStatus
from typing import TYPE_CHECKING

import typer

from keystead.cli.exits import ExitCode, Failure, Json, code_of_status
from keystead.cli.printing import (
    View,
    clean,
    objects,
    print_facts,
    print_json,
    print_line,
    print_list,
    print_token,
)

if TYPE_CHECKING:
    import httpx

_SHOWN_ONCE = (
    "This token is shown once and kept nowhere: put it where secrets belong. If it is lost, rotate the key:\n"
    "keystead {noun} rotate {id}"
)
_PUBLIC = "A public token may be published. To see it again: keystead {noun} reveal {id}"


class Call:
    """The connection that a command works with, and where its answer goes."""

    def __init__(
        self, client: "httpx.AsyncClient", *, as_json: bool, quiet: bool = False, wait: str | None = None
    ) -> None:
        self._client = client
        self._as_json = as_json
        self._quiet = quiet
        self._wait = wait
        self._lagging: list[Json] = []

    async def ask(
        self, method: str, path: str, body: Json | None = None, query: Json | None = None
    ) -> dict[str, object]:
        """The answer to a request below `/api/v1/`, empty if it has no body. Raises Failure for an error.

        With `--wait` it is answered when every node has applied the change, or the time is over.
        """
        import httpx  # noqa: PLC0415 - takes long to import, and is loaded by now

        asked = dict(query or {}) | ({} if self._wait is None else {"wait": self._wait})
        params = {name: str(value) for name, value in asked.items()}
        try:
            response = await self._client.request(method, f"/api/v1/{path}", json=body, params=params)
        except httpx.TimeoutException:
            raise Failure(ExitCode.UNAVAILABLE, "the server did not answer in time") from None
        except httpx.RequestError as error:
            # Others' words may hold what was sent, the token included.
            words = str(error) if isinstance(error, httpx.ConnectError) else type(error).__name__
            raise Failure(ExitCode.UNAVAILABLE, f"the connection to the server failed: {words}") from None
        if response.is_success:
            answer = _answer(response)
            self._lagging = objects(answer.get("lagging"))
            return answer
        raise _refusal(response)

    def require_confirmed(self) -> None:
        """Return unless a node lagged when `--wait` ended; else name it to people, and end with a code."""
        if not self._lagging:
            return
        if not self._as_json:
            names = ", ".join(f"{it.get('name')} ({it.get('id')})" for it in self._lagging)
            print_line(f"done, but not yet applied by: {clean(names)}", err=True)
        raise typer.Exit(ExitCode.LAGGING)

    def show(self, view: View, answer: Json) -> None:
        """Print one thing."""
        if self._as_json:
            print_json(answer)
        elif self._quiet:
            _print_id(answer)
        else:
            print_facts(view, answer)

    def show_list(self, view: View, answer: Json) -> None:
        """Print a page of things, and for people how to see the next."""
        if self._as_json:
            print_json(answer)
            return
        if self._quiet:
            for item in objects(answer.get("items")):
                _print_id(item)
        else:
            print_list(view, objects(answer.get("items")))
        if cursor := answer.get("next_cursor"):
            print_line(f"there are more: --cursor {cursor}", err=True)

    def show_made(self, view: View, answer: Json) -> None:
        """Print a key whose answer holds its token."""
        token = answer.get("token")
        if self._as_json or not isinstance(token, str):
            self.show(view, answer)
            return
        # To a pipe goes the token alone.
        if not self._quiet:
            print_facts(view, answer, err=not sys.stdout.isatty())
        note = _PUBLIC if answer.get("type") == "public" else _SHOWN_ONCE
        print_token(token, note.format(noun=_noun(answer), id=answer.get("id")))

    def show_done(self, answer: Json, sentence: str) -> None:
        """Print the answer to something done away with: the API's, or for people a sentence."""
        if not self._as_json:
            print_line(sentence)
        elif answer:
            print_json(answer)


def _print_id(item: Json) -> None:
    """What names a thing: its id, a member's user, or a scope's name; nothing for a verdict."""
    name = item.get("id") or item.get("user_id") or item.get("name")
    if name:
        print_line(clean(str(name)))


def _noun(key: Json) -> str:
    owner = key.get("owner")
    return "root-key" if isinstance(owner, dict) and owner.get("kind") == "instance" else "key"


def _answer(response: "httpx.Response") -> dict[str, object]:
    if not response.content:
        return {}
    found = _json(response)
    if found is None:
        raise Failure(ExitCode.FAILED, "what answered is not Keystead: is the server's address right?")
    return found


def _refusal(response: "httpx.Response") -> Failure:
    code, problem = code_of_status(response.status_code), _json(response)
    if problem is None or "detail" not in problem:
        phrase = HTTPStatus(response.status_code).phrase if response.status_code in set(HTTPStatus) else ""
        detail = f"the server answered {response.status_code} {phrase}".rstrip()
        return Failure(code, f"{detail}, and not as Keystead does: is its address right?")
    detail = str(problem["detail"])
    if code is ExitCode.FAILED:
        detail += f" (request id {problem.get('request_id', '-')})"
    return Failure(code, detail, problem=problem)


def _json(response: "httpx.Response") -> dict[str, object] | None:
    try:
        found = response.json()
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
