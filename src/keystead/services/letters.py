"""What we write to people: plain text, each with the one link that it is about."""

from typing import NamedTuple

from keystead.domain.tenants import Role


class Letter(NamedTuple):
    """A mail without its address."""

    subject: str
    text: str


def invitation(product: str, organization: str, role: Role, url: str) -> Letter:
    """To somebody who is asked to join an organization."""
    return _letter(
        f"Join {organization} on {product}",
        f"You were invited to join {organization} on {product} as {role}.",
        "To accept, open this address within seven days:",
        url,
        "If you do not know why you get this, leave it be: nothing happens without you.",
    )


def confirmation(product: str, url: str) -> Letter:
    """To somebody who signs up, or gives another address."""
    return _letter(
        f"Confirm your e-mail for {product}",
        f"Somebody, you we hope, gave this address to {product}.",
        "To confirm that it is yours, open this address within a day:",
        url,
        "If it was not you, leave it be: nothing happens without you.",
    )


def already_known(product: str, url: str) -> Letter:
    """To somebody who signs up though they have an account."""
    return _letter(
        f"You have an account at {product}",
        f"Somebody, you we hope, wanted to sign up to {product} with this address.",
        "It has an account already.",
        "To sign in, open this address:",
        url,
        "If it was not you, leave it be: nothing happened.",
    )


def _letter(subject: str, *paragraphs: str) -> Letter:
    return Letter(subject, "\n\n".join(paragraphs) + "\n")
