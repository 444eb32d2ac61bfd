"""Names, notes and ids that people give us."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.domain.errors import InvalidInput
from keystead.domain.text import (
    make_email,
    make_external_id,
    make_filter,
    make_label_name,
    make_labels,
    make_metadata,
    make_name,
    make_note,
)

UNSEEN = [
    pytest.param("\x00", id="NUL"),
    pytest.param("\t", id="tab"),
    pytest.param("\n", id="line feed"),
    pytest.param("\r", id="carriage return"),
    pytest.param("\x0b", id="vertical tab"),
    pytest.param("\x0c", id="form feed"),
    pytest.param("\x1b", id="escape, which begins a terminal's orders"),
    pytest.param("\x1f", id="last of C0"),
    pytest.param("\x7f", id="DEL"),
    pytest.param("\x80", id="first of C1"),
    pytest.param("\x85", id="next line"),
    pytest.param("\x9b", id="CSI of C1"),
    pytest.param("\x9f", id="last of C1"),
    pytest.param("\u2028", id="line separator"),
    pytest.param("\u2029", id="paragraph separator"),
    pytest.param("\u061c", id="Arabic letter mark"),
    pytest.param("\u200e", id="left-to-right mark"),
    pytest.param("\u200f", id="right-to-left mark"),
    pytest.param("\u202a", id="left-to-right embedding"),
    pytest.param("\u202b", id="right-to-left embedding"),
    pytest.param("\u202c", id="pop directional formatting"),
    pytest.param("\u202d", id="left-to-right override"),
    pytest.param("\u202e", id="right-to-left override"),
    pytest.param("\u2066", id="left-to-right isolate"),
    pytest.param("\u2067", id="right-to-left isolate"),
    pytest.param("\u2068", id="first strong isolate"),
    pytest.param("\u2069", id="pop directional isolate"),
    pytest.param("\u00ad", id="soft hyphen"),
    pytest.param("\u180e", id="Mongolian vowel separator"),
    pytest.param("\u200b", id="zero-width space"),
    pytest.param("\u200c", id="zero-width non-joiner"),
    pytest.param("\u200d", id="zero-width joiner"),
    pytest.param("\u2060", id="word joiner"),
    pytest.param("\u2061", id="function application"),
    pytest.param("\u2064", id="invisible plus"),
    pytest.param("\ufeff", id="byte order mark"),
    pytest.param("\ufff9", id="interlinear annotation anchor"),
    pytest.param("\U000e0001", id="language tag"),
    pytest.param("\U000e0041", id="tag letter"),
    pytest.param("\U000e007f", id="cancel tag"),
    pytest.param("\ud800", id="lone surrogate, high"),
    pytest.param("\udfff", id="lone surrogate, low"),
    pytest.param("\ue000", id="private use"),
    pytest.param("\U0010fffd", id="private use, last plane"),
    pytest.param("\uffff", id="no character"),
    pytest.param("\u0378", id="unassigned"),
]
SEEN = ["a", "Nightly import", "Zoë's app #2", "地図", "خرائط", "🗺", "<b>&amp;", "a  b", "ﬁ", "é"]


def refusal_of(make, *args, **kwargs):
    with pytest.raises(InvalidInput) as refusal:
        make(*args, **kwargs)
    return refusal.value


@pytest.mark.parametrize("character", UNSEEN)
@pytest.mark.parametrize(
    "around", [("", ""), ("a", ""), ("", "a"), ("a", "b")], ids=["alone", "behind", "before", "between"]
)
def test_a_name_holds_no_control_and_nothing_invisible(character, around):
    error = refusal_of(make_name, around[0] + character + around[1])
    assert error.field == "name"
    # The refusal itself can be shown, and logged, safely.
    assert character not in str(error)


@pytest.mark.parametrize("character", UNSEEN)
def test_notes_labels_filters_and_addresses_hold_none_either(character):
    assert refusal_of(make_note, f"a{character}b", field="description").field == "description"
    assert refusal_of(make_filter, f"a{character}b", field="name").field == "name"
    assert refusal_of(make_labels, {"team": f"a{character}b"}, size_bytes=2).field == "labels.team"
    assert refusal_of(make_label_name, f"a{character}b", field="labels").field == "labels"
    assert refusal_of(make_external_id, f"a{character}b").field == "external_id"
    assert refusal_of(make_email, f"a{character}b@example.com").field == "email"


@pytest.mark.parametrize("text", SEEN, ids=ascii)
def test_a_name_may_be_in_any_script(text):
    assert make_name(text) == text
    assert make_note(text, field="f") == text
    assert make_filter(text, field="f") == text
    assert make_labels({"a": text}, size_bytes=2) == {"a": text}


@pytest.mark.parametrize(("length", "fits"), [(0, False), (1, True), (99, True), (100, True), (101, False)])
def test_a_name_has_1_to_100_characters(length, fits):
    for text in ("a" * length, "地" * length, "  " + "a" * length + " "):
        if fits:
            assert make_name(text) == text.strip(" ")
        else:
            problem = "title: write 1 to 100 characters, not only spaces"
            assert str(refusal_of(make_name, text, field="title")) == problem


@pytest.mark.parametrize("text", ["", " ", " " * 200, "\u00a0", "\u3000 "])
def test_spaces_alone_are_no_name(text):
    refusal_of(make_name, text)


@given(st.text(max_size=120))
def test_a_name_that_was_made_is_printable_and_made_again_the_same(text):
    try:
        name = make_name(text)
    except InvalidInput:
        return
    assert make_name(name) == name
    assert 1 <= len(name) <= 100
    assert not {unicodedata.category(it) for it in name} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    name.encode()


@pytest.mark.parametrize(("length", "fits"), [(0, True), (499, True), (500, True), (501, False)])
def test_a_note_has_at_most_500_characters(length, fits):
    if fits:
        assert make_note("a" * length, field="f") == "a" * length
    else:
        assert str(refusal_of(make_note, "a" * length, field="f")) == "f: write at most 500 characters"


@pytest.mark.parametrize(("length", "fits"), [(0, False), (1, True), (200, True), (201, False)])
def test_a_filter_has_1_to_200_characters(length, fits):
    if fits:
        assert make_filter("a" * length, field="f") == "a" * length
    else:
        assert str(refusal_of(make_filter, "a" * length, field="f")) == "f: write 1 to 200 characters"


@pytest.mark.parametrize("text", ["a", "!", "~", "--", "-a", "cus_42", "a/b?c#d%", "A" * 128])
def test_an_external_id_is_1_to_128_visible_ascii_characters(text):
    assert make_external_id(text) == text


@pytest.mark.parametrize(
    "text", ["", "-", "A" * 129, " ", "a b", " a", "a ", "é", "a\n", "\u212a"], ids=ascii
)
def test_what_is_no_external_id_is_refused(text):
    assert refusal_of(make_external_id, text, field="x").field == "x"


@pytest.mark.parametrize(
    ("text", "email"),
    [
        ("ada@example.com", "ada@example.com"),
        ("Ada@Example.COM", "ada@example.com"),
        ("  ada@example.com ", "ada@example.com"),
        ("a+b.c_d@sub.example.com", "a+b.c_d@sub.example.com"),
        ("a" * 64 + "@b", "a" * 64 + "@b"),
        ("a@" + "b" * 190, "a@" + "b" * 190),
    ],
)
def test_an_email_address_is_kept_in_lower_case(text, email):
    assert make_email(text) == email


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@",
        "ada",
        "ada@",
        "@example.com",
        "a@b@c",
        "a b@c",
        "a@b c",
        "a" * 65 + "@b",
        "a@" + "b" * 191,
        "a@b\n",
    ],
    ids=ascii,
)
def test_what_is_no_email_address_is_refused(text):
    assert refusal_of(make_email, text).field == "email"


@pytest.mark.parametrize("name", ["a", "team", "Team.a/b-c_d", "0", "a" * 64])
def test_a_label_is_named_by_1_to_64_letters_digits_and_four_signs(name):
    assert make_labels({name: "x"}, size_bytes=2) == {name: "x"}


@pytest.mark.parametrize("name", ["", "a" * 65, "a b", "é", "a:b", "a\n", "a[b]", "\u212a"], ids=ascii)
def test_what_is_no_label_name_is_refused_without_repeating_it(name):
    error = refusal_of(make_labels, {"ok": "x", name: "x"}, size_bytes=2)
    assert error.field == "labels"


@pytest.mark.parametrize(("size", "fits"), [(2, True), (16383, True), (16384, True), (16385, False)])
@pytest.mark.parametrize("make", [make_labels, make_metadata])
def test_labels_and_metadata_hold_16_kib_as_json(make, size, fits):
    if fits:
        assert make({"a": "x"}, size_bytes=size, field="f") == {"a": "x"}
    else:
        error = refusal_of(make, {"a": "x"}, size_bytes=size, field="f")
        assert str(error) == "f: is 16385 bytes as JSON; keep it to 16384"


def test_a_label_may_be_empty_and_labels_may_be_none():
    assert make_labels({}, size_bytes=2) == {}
    assert make_labels({"a": ""}, size_bytes=8) == {"a": ""}


def test_labels_and_metadata_are_copies():
    labels, metadata = {"a": "x"}, {"a": 1}
    kept = make_labels(labels, size_bytes=2), make_metadata(metadata, size_bytes=2)
    labels["a"], metadata["a"] = "y", 2
    assert kept == ({"a": "x"}, {"a": 1})


@pytest.mark.parametrize(
    "value", [None, True, 1, 2.5, "", "a\nb\u202e", [], {}, [1, [2]], {"a": {"b": []}}], ids=ascii
)
def test_metadata_are_any_json(value):
    assert make_metadata({"any name\n": value}, size_bytes=2) == {"any name\n": value}


def nested(depth: int, *, lists: bool) -> dict[str, object]:
    """An object that is `depth` deep, itself counted."""
    inner: object = "end"
    for _ in range(depth - 1):
        inner = [inner] if lists else {"a": inner}
    return {"a": inner}


@pytest.mark.parametrize(("depth", "fits"), [(1, True), (31, True), (32, True), (33, False), (1000, False)])
@pytest.mark.parametrize("lists", [False, True], ids=["objects", "lists"])
def test_metadata_nest_32_deep_at_most(lists, depth, fits):
    items = nested(depth, lists=lists)
    if fits:
        assert make_metadata(items, size_bytes=2) == items
    else:
        assert "32 deep" in str(refusal_of(make_metadata, {"shallow": [], **items}, size_bytes=2))
