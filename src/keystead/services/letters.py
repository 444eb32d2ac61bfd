"""What we write to people: plain text in their language, by the texts `letter.*`, each about one thing."""

from typing import NamedTuple

from keystead.domain.tenants import Role
from keystead.services.context import People


class Letter(NamedTuple):
    """A mail without its address."""

    subject: str
    text: str


def invitation(people: People, language: str | None, *, organization: str, role: Role, url: str) -> Letter:
    """To somebody who is asked to join an organization."""
    named = people.words.say(language, f"organization.role-{role}")
    return _letter(people, language, "invitation", organization=organization, role=named, url=url)


def confirmation(people: People, language: str | None, *, url: str) -> Letter:
    """To somebody who signs up, or gives another address."""
    return _letter(people, language, "confirmation", url=url)


def already_known(people: People, language: str | None, *, url: str) -> Letter:
    """To somebody with an account whose address is given by who signs up, or wants to change to it."""
    return _letter(people, language, "already-known", url=url)


def email_changed(people: People, language: str | None, *, name: str) -> Letter:
    """To the address that somebody no longer signs in with."""
    return _letter(people, language, "email-changed", name=name)


def password_changed(people: People, language: str | None, *, name: str) -> Letter:
    """To somebody whose password is another now."""
    return _letter(people, language, "password-changed", name=name)


def _letter(people: People, language: str | None, kind: str, **values: str) -> Letter:
    def say(message_id: str) -> str:
        return people.words.say(language, message_id, product=people.product_name, **values)

    # A header ends at a line break: none may come from a name, whatever names may hold.
    return Letter(" ".join(say(f"letter.{kind}-subject").split()), say(f"letter.{kind}") + "\n")
