"""What is written to people: in their language, about one thing, with names as they were typed."""

import pytest

from keystead.domain.tenants import Role
from keystead.services import letters
from keystead.services.letters import Letter
from tests.people import people

URL = "https://keys.example.com/link?secret=abc"
NAME = "Größe {x} %s <b>"


def every(language: str | None, name: str = NAME) -> list[Letter]:
    house = people(product_name="Acme Keys")
    return [
        letters.invitation(house, language, organization=name, role=Role.ADMIN, url=URL),
        letters.confirmation(house, language, url=URL),
        letters.already_known(house, language, url=URL),
        letters.email_changed(house, language, name=name),
        letters.password_changed(house, language, name=name),
    ]


@pytest.mark.parametrize("language", ["en", "es"])
def test_every_letter_names_the_product_and_ends_with_a_line(language):
    for letter in every(language):
        assert "Acme Keys" in letter.subject
        assert "Acme Keys" in letter.text
        assert letter.text.endswith(".\n")
        assert "{product}" not in letter.text


def test_names_and_addresses_are_in_it_as_they_are():
    invitation, confirmation, known, email, password = every("en")
    assert NAME in invitation.subject
    assert all(NAME in it.text for it in (invitation, email, password))
    assert all(f"\n\n{URL}\n\n" in it.text for it in (invitation, confirmation, known))
    assert "Your role: Admin." in invitation.text


@pytest.mark.parametrize("language", [None, "en", "fr", "en-GB"])
def test_who_reads_none_of_our_languages_is_written_to_in_english(language):
    assert every(language) == every("en")


def test_each_letter_is_another_in_spanish():
    assert all(
        english.subject != spanish.subject and english.text != spanish.text
        for english, spanish in zip(every("en"), every("es-MX"), strict=True)
    )
    assert every("es")[0].subject == f"Únete a {NAME} en Acme Keys"


def test_a_name_cannot_end_the_subject_and_begin_another_header():
    assert every("en", "Acme\r\nBcc: eve@example.com")[0].subject == (
        "Join Acme Bcc: eve@example.com on Acme Keys"
    )
