"""What is typed of a key, and what becomes of it."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from keystead.dashboard.key_form import KeyForm, Rule, end_of_day, faults, form_of, key_change, rearranged
from keystead.domain.errors import InvalidInput
from tests.contract.samples import full_key


@pytest.mark.parametrize(
    ("day", "zone", "ends_at"),
    [
        ("2027-02-14", "Europe/Madrid", datetime(2027, 2, 14, 22, 59, 59, tzinfo=UTC)),
        ("2027-07-14", "Europe/Madrid", datetime(2027, 7, 14, 21, 59, 59, tzinfo=UTC)),
        ("2027-02-14", "Pacific/Kiritimati", datetime(2027, 2, 14, 9, 59, 59, tzinfo=UTC)),
        # Where clocks are put back at midnight, the day has its last second twice.
        ("2026-10-24", "Asia/Beirut", datetime(2026, 10, 24, 21, 59, 59, tzinfo=UTC)),
        ("2026-10-29", "Africa/Cairo", datetime(2026, 10, 29, 21, 59, 59, tzinfo=UTC)),
        ("2027-04-03", "America/Santiago", datetime(2027, 4, 4, 3, 59, 59, tzinfo=UTC)),
        # Where they are put forward at midnight, the next day begins at one.
        ("2027-03-27", "Asia/Beirut", datetime(2027, 3, 27, 21, 59, 59, tzinfo=UTC)),
        # And where they change in the night or by half an hour, the day is only longer or shorter.
        ("2027-03-28", "Europe/Madrid", datetime(2027, 3, 28, 21, 59, 59, tzinfo=UTC)),
        ("2027-10-31", "Europe/Madrid", datetime(2027, 10, 31, 22, 59, 59, tzinfo=UTC)),
        ("2027-04-04", "Australia/Lord_Howe", datetime(2027, 4, 4, 13, 29, 59, tzinfo=UTC)),
    ],
)
def test_a_day_ends_where_the_person_is(day: str, zone: str, ends_at: datetime):
    assert end_of_day(day, ZoneInfo(zone)) == ends_at


@pytest.mark.parametrize("text", ["", "soon", "2027-02-30", "14.2.2027"])
def test_what_is_no_day_is_refused(text: str):
    with pytest.raises(InvalidInput):
        end_of_day(text, UTC)


def test_a_key_s_own_form_changes_nothing():
    key = full_key()
    draft = key_change(form_of(key), UTC)
    assert draft.name == key.name
    assert [it.pattern for it in draft.constraints or []] == [it.pattern for it in key.constraints]
    assert tuple(draft.allowed_origins or ()) == key.allowed_origins
    assert draft.labels == dict(key.labels)


@pytest.mark.parametrize(
    ("wish", "patterns"),
    [
        ("add", ["a", "b", ""]),
        ("remove:0", ["b"]),
        ("remove:7", ["a", "b"]),
        ("any", []),
        ("path", [""]),
        ("try", ["a", "b"]),
    ],
)
def test_the_builder_s_buttons_change_its_rules(wish: str, patterns: list[str]):
    typed = KeyForm(rules=(Rule(pattern="a"), Rule(pattern="b")))
    after = rearranged(typed, wish)
    assert after is not None
    assert [it.pattern for it in after.rules] == patterns


def test_other_buttons_are_not_the_builder_s():
    assert rearranged(KeyForm(), "save") is None


def test_a_rule_with_nothing_in_it_is_no_fault(english):
    assert faults(KeyForm(name="x", rules=(Rule(),)), UTC, english) == {}


def test_faults_name_the_field_and_say_a_sentence(english):
    typed = KeyForm(
        name=" ",
        rules=(Rule(type="verb", pattern="x"),),
        networks="10.0.0.0/8\n10.0.0.1/8",
        origins="*",
        labels="team=a\x07b",
    )
    found = faults(typed, UTC, english)
    assert set(found) == {"name", "c0-pattern", "networks", "origins", "labels"}
    assert found["networks"] == "10.0.0.1/8: This network has bits set beyond its length: write 10.0.0.0/8."
    assert all(it.endswith(".") for it in found.values())
