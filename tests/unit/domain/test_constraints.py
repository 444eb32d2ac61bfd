"""Route constraints: what may be written, what is let through, and what is proved to be no wider."""

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from keystead.domain.constraints import (
    Constraint,
    ConstraintType,
    compile_constraints,
    covers,
    make_constraint,
    make_constraints,
)
from keystead.domain.errors import InvalidInput
from keystead.domain.paths import MAX_REGEX_PATH_BYTES, canonical_path


def made(*items):
    return make_constraints([(kind, pattern, methods.split()) for kind, pattern, methods in items])


def lets_through(constraints, method, path):
    return compile_constraints(constraints).matches(method, path)


@pytest.mark.parametrize("kind", ["exact", "prefix", "regex"])
@pytest.mark.parametrize(("length", "fits"), [(0, False), (1, True), (1024, True), (1025, False)])
def test_a_pattern_has_1_to_1024_characters(kind, length, fits):
    # Repeated `(?:)` compiles to next to nothing, so that only its length counts.
    pattern = ("(?:)" * 300)[: length - length % 4] + "a" * (length % 4) if kind == "regex" else "a" * length
    if fits:
        assert make_constraint(kind, pattern, [], field="c").pattern == pattern
    else:
        with pytest.raises(InvalidInput, match=r"c\.pattern: write 1 to 1024"):
            make_constraint(kind, pattern, [], field="c")


@pytest.mark.parametrize("pattern", ["jobs", "/jobs", "/", "jobs/caf%C3%A9", "/a:b", "/.well-known/"])
@pytest.mark.parametrize("kind", ["exact", "prefix"])
def test_a_pattern_reads_back_as_it_was_written(kind, pattern):
    constraint = make_constraint(kind, pattern, ["POST", "GET", "POST"], field="c")
    assert constraint == Constraint(type=ConstraintType(kind), pattern=pattern, methods=("GET", "POST"))


@pytest.mark.parametrize("kind", ["exact", "prefix"])
@pytest.mark.parametrize(
    "pattern",
    [
        "..",
        "/a/../b",
        "/a/.",
        "//",
        "//a",
        "/a//",
        "/a;b",
        "/a#b",
        "/a b",
        "/é",
        "/a%2f",
        "/a%",
        "/a%C3",
        "\\",
        "/\ud800",
    ],
    ids=ascii,
)
def test_an_ambiguous_pattern_is_refused(kind, pattern):
    with pytest.raises(InvalidInput, match=r"c\.pattern: servers could read"):
        make_constraint(kind, pattern, [], field="c")


@pytest.mark.parametrize(
    ("pattern", "canonical"),
    [("/jobs?x=1", "/jobs"), ("%6Aobs", "/jobs"), ("/a%3ab", "/a%3Ab"), ("?", "/"), ("/~%7e", "/~~")],
)
def test_another_spelling_is_refused_naming_the_canonical_one(pattern, canonical):
    with pytest.raises(InvalidInput, match=rf"c\.pattern: write {re.escape(canonical)},"):
        make_constraint("exact", pattern, [], field="c")


@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param("a)|(?:b", id="escapes the anchors once wrapped"),
        pytest.param(")|(?:", id="escapes the anchors, empty"),
        pytest.param("a\\Q", id="quotes the end of the wrapping"),
        pytest.param("a\\", id="escapes the end of the wrapping"),
        pytest.param("[a", id="open class"),
        pytest.param("(a", id="open group"),
        pytest.param("a)", id="closed group"),
        pytest.param("(?i", id="open flags"),
        pytest.param("*a", id="nothing to repeat"),
        pytest.param("(a)\\1", id="back-reference"),
        pytest.param("a(?=b)", id="look-ahead"),
        pytest.param("(?<!a)b", id="look-behind"),
        pytest.param("a\\Z", id="end in Python's spelling"),
        pytest.param("a{1001}", id="repetition beyond RE2's limit"),
    ],
)
def test_what_re2_does_not_compile_alone_and_wrapped_is_refused(pattern):
    with pytest.raises(InvalidInput, match=r"c\.pattern: is not a regex that RE2 accepts: "):
        make_constraint("regex", pattern, [], field="c")


@pytest.mark.parametrize("pattern", ["/é", "/a b", "/a\n", "/a\x00", "\u212a", "\ud800"], ids=ascii)
def test_a_regex_holds_only_what_a_path_can_hold(pattern):
    with pytest.raises(InvalidInput, match=r"c\.pattern: write visible ASCII only"):
        make_constraint("regex", pattern, [], field="c")


def test_a_regex_may_compile_to_400_instructions_and_no_more():
    # RE2 wraps the letters in 4 instructions.
    assert make_constraint("regex", "a{396}", [], field="c")
    with pytest.raises(InvalidInput, match=r"c\.pattern: compiles to 401 instructions, and at most 400"):
        make_constraint("regex", "a{397}", [], field="c")


@pytest.mark.parametrize(
    "pattern",
    ["((((a?){10}){10}){10})", r"\pL" * 340, "(?:a{1000})" * 90, "(?:[a-z]{30}){30}", ".{1000}" * 140],
    ids=lambda pattern: pattern[:20],
)
def test_a_regex_that_would_blow_up_is_refused(pattern):
    with pytest.raises(InvalidInput, match=r"c\.pattern: "):
        make_constraint("regex", pattern, [], field="c")


def test_the_regexes_of_a_key_come_to_2000_instructions_and_no_more():
    five = [("regex", f"{letter}{{396}}", []) for letter in "abcde"]
    assert len(make_constraints(five)) == 5
    with pytest.raises(InvalidInput, match=r"^list: the regexes compile to 200[0-9] instructions together"):
        make_constraints([*five, ("regex", "f", [])], field="list")


def test_a_key_has_at_most_50_constraints():
    items = [("exact", f"/{number}", []) for number in range(51)]
    assert len(make_constraints(items[:50])) == 50
    with pytest.raises(InvalidInput, match="constraints: give at most 50; there are 51"):
        make_constraints(items)


def test_repeated_constraints_are_folded_and_order_is_kept():
    constraints = made(("exact", "/b", "GET PUT"), ("exact", "/a", ""), ("exact", "/b", "PUT GET GET"))
    assert [constraint.pattern for constraint in constraints] == ["/b", "/a"]


@pytest.mark.parametrize(
    ("method", "fix"),
    [
        ("get", "write GET"),
        ("Get", "write GET"),
        ("", "capital letters"),
        ("GET ", "capital letters"),
        ("GET\n", "capital letters"),
        ("-GET", "capital letters"),
        ("*", "capital letters"),
        ("G" * 21, "capital letters"),
        ("lin\u212a", "capital letters"),
        ("\u017fet", "capital letters"),
    ],
    ids=ascii,
)
def test_methods_are_capital_letters(method, fix):
    with pytest.raises(InvalidInput, match=rf"constraints\[1\]\.methods: .*{fix}"):
        make_constraints([("exact", "/", []), ("exact", "/", [method])])


@pytest.mark.parametrize("method", ["GET", "M-SEARCH", "X", "G" * 20])
def test_any_method_may_be_named(method):
    assert make_constraint("verb", None, [method], field="c").methods == (method,)


def test_a_constraint_names_at_most_20_methods():
    methods = [f"A{chr(65 + number)}" for number in range(21)]
    assert len(make_constraint("exact", "/", methods[:20], field="c").methods) == 20
    with pytest.raises(InvalidInput, match=r"c\.methods: name at most 20"):
        make_constraint("exact", "/", methods, field="c")


@pytest.mark.parametrize(
    ("kind", "pattern", "methods", "field"),
    [
        pytest.param("glob", "/a", [], "c.type", id="unknown type"),
        pytest.param("EXACT", "/a", [], "c.type", id="type in capitals"),
        pytest.param("verb", "/a", ["GET"], "c.pattern", id="verb with a pattern"),
        pytest.param("verb", "", ["GET"], "c.pattern", id="verb with an empty pattern"),
        pytest.param("verb", None, [], "c.methods", id="verb without methods"),
        pytest.param("exact", None, [], "c.pattern", id="exact without a pattern"),
        pytest.param("prefix", None, ["GET"], "c.pattern", id="prefix without a pattern"),
        pytest.param("regex", None, [], "c.pattern", id="regex without a pattern"),
    ],
)
def test_type_pattern_and_methods_must_go_together(kind, pattern, methods, field):
    with pytest.raises(InvalidInput) as refusal:
        make_constraint(kind, pattern, methods, field="c")
    assert refusal.value.field == field


@pytest.mark.parametrize(
    ("constraint", "path", "met"),
    [
        (("exact", "/jobs", ""), "/jobs", True),
        (("exact", "jobs", ""), "/jobs", True),
        (("exact", "/jobs", ""), "/jobs/", False),
        (("exact", "/jobs", ""), "/Jobs", False),
        (("exact", "/jobs", ""), "/jobs/1", False),
        (("exact", "/", ""), "/", True),
        (("exact", "/", ""), "/a", False),
        (("prefix", "/jobs", ""), "/jobs", True),
        (("prefix", "jobs", ""), "/jobs/1", True),
        (("prefix", "/jobs", ""), "/jobsearch", True),
        (("prefix", "/jobs/", ""), "/jobs", False),
        (("prefix", "/jobs", ""), "/job", False),
        (("prefix", "/", ""), "/anything", True),
        (("prefix", "/a*", ""), "/abc", False),
        (("regex", "/jobs/[0-9]+", ""), "/jobs/12", True),
        (("regex", "jobs/[0-9]+", ""), "/jobs/12", True),
        (("regex", "/jobs/[0-9]+", ""), "/jobs/12/runs", False),
        (("regex", "/jobs/[0-9]+", ""), "/v1/jobs/12", False),
        (("regex", "a|b", ""), "/a", True),
        (("regex", "a|b", ""), "/ab", False),
        (("regex", "a|b", ""), "/a/b", False),
        (("regex", "/a|/b.*", ""), "/a/b", False),
        (("regex", "^/jobs$", ""), "/jobs", True),
        (("regex", "(?m)^/a$", ""), "/a/b", False),
        (("regex", "(?P<x>/a)(?<y>b)", ""), "/ab", True),
        (("regex", "(?i)/JOBS", ""), "/jobs", True),
        (("regex", ".*", ""), "/", True),
        (("regex", "()", ""), "/", True),
        (("regex", "/?", ""), "/", True),
        (("verb", None, "GET"), "/anything/at/all", True),
    ],
)
def test_a_constraint_is_met_by_the_paths_it_describes(constraint, path, met):
    assert lets_through(made(constraint), "GET", path) is met


@pytest.mark.parametrize("methods", ["GET", "GET POST", "POST PATCH"])
@pytest.mark.parametrize("asked", ["GET", "HEAD", "POST", "get", ""])
@pytest.mark.parametrize(
    ("kind", "pattern"), [("exact", "/a"), ("prefix", "/"), ("regex", "/a"), ("verb", None)]
)
def test_only_a_named_method_is_let_through(kind, pattern, methods, asked):
    assert lets_through(made((kind, pattern, methods)), asked, "/a") is (asked in methods.split())


@pytest.mark.parametrize("asked", ["GET", "HEAD", "PROPFIND", "get"])
@pytest.mark.parametrize(("kind", "pattern"), [("exact", "/a"), ("prefix", "/"), ("regex", "/a")])
def test_no_methods_mean_every_method(kind, pattern, asked):
    assert lets_through(made((kind, pattern, "")), asked, "/a")


def test_the_method_of_one_constraint_does_not_lend_itself_to_the_path_of_another():
    constraints = made(
        ("regex", "/a", "GET"), ("exact", "/b", "POST"), ("prefix", "/c", "PUT"), ("regex", "/d", "POST")
    )
    allowed = {("GET", "/a"), ("POST", "/b"), ("PUT", "/c"), ("POST", "/d")}
    for method in ("GET", "POST", "PUT", "DELETE"):
        for path in ("/a", "/b", "/c", "/d", "/e"):
            assert lets_through(constraints, method, path) is ((method, path) in allowed)


def test_an_empty_list_lets_every_request_through():
    assert lets_through((), "ANY", "/at/all")
    assert compile_constraints(()).matching("ANY", "/at/all") is None


def test_the_first_constraint_that_matches_is_named():
    matcher = compile_constraints(made(("exact", "/b", ""), ("regex", "/a.*", "GET"), ("prefix", "/a", "")))
    assert matcher.matching("GET", "/ab") == 1
    assert matcher.matching("PUT", "/ab") == 2
    assert matcher.matching("GET", "/b") == 0
    assert matcher.matching("GET", "/c") is None


@pytest.mark.parametrize("extra", [("regex", "/.*", ""), ("prefix", "/", ""), ("verb", None, "GET")])
@pytest.mark.parametrize(("length", "met"), [(2047, True), (2048, True), (2049, False)])
def test_a_path_over_2048_bytes_is_unmet_for_a_key_with_a_regex(extra, length, met):
    matcher = compile_constraints(made(("regex", "/a+", "GET"), extra))
    path = "/" + "a" * (length - 1)
    assert matcher.matches("GET", path) is met
    assert (matcher.matching("GET", path) is not None) is met


def test_a_path_of_any_length_is_judged_for_a_key_without_a_regex():
    assert lets_through(made(("prefix", "/a", "")), "GET", "/" + "a" * 9000)


def test_the_worst_regexes_allowed_still_answer_rightly():
    constraints = made(*(("regex", f"[ab]*a[ab]{{{number}}}", "") for number in range(389, 394)))
    matcher = compile_constraints(constraints)
    path = "/" + ("ab" * 1024)[:2047]
    assert matcher.matches("GET", path)
    assert not matcher.matches("GET", path.replace("a", "b"))


# Requests and patterns of one small world, so that they meet often.
PATHS = [
    "/",
    "/a",
    "/a/",
    "/a/b",
    "/ab",
    "/a/b/c",
    "/b",
    "/A",
    "/a%20b",
    "/aaa",
    "/a/b" + "/x" * 1100,
    "/" + "a" * 2048,
]
METHODS = ["GET", "POST", "HEAD", "PURGE"]
REGEXES = ["/a", "a", "/a/.*", "a/[^/]+", ".*", "/(?:a|b)", "(?i:/A)", "/a+", "/", "()", "a|a/b", "/b.*|/a"]
ROUTES = ["/", "/a", "a", "/a/", "a/b", "/ab", "/a/b/c", "b", "/A", "/aa"]

METHOD_LISTS = st.lists(st.sampled_from(METHODS[:3]), max_size=2, unique=True)
ITEMS = st.one_of(
    st.tuples(st.sampled_from(["exact", "prefix"]), st.sampled_from(ROUTES), METHOD_LISTS),
    st.tuples(st.just("regex"), st.sampled_from(REGEXES), METHOD_LISTS),
    st.tuples(st.just("verb"), st.none(), st.lists(st.sampled_from(METHODS[:3]), min_size=1, max_size=2)),
)
LISTS = st.lists(ITEMS, max_size=4).map(make_constraints)
REQUESTS = [(method, path) for method in METHODS for path in PATHS]


def described(constraint, method, path):
    """What the design says in words, without RE2."""
    if constraint.methods and method not in constraint.methods:
        return False
    slashed = "/" + (constraint.pattern or "").removeprefix("/")
    match constraint.type:
        case ConstraintType.EXACT:
            return path == slashed
        case ConstraintType.PREFIX:
            return path[: len(slashed)] == slashed
        case ConstraintType.REGEX:
            return re.fullmatch(f"/?(?:{constraint.pattern})", path) is not None
        case ConstraintType.VERB:
            return True


@given(LISTS)
def test_a_request_is_let_through_as_the_constraints_say(constraints):
    matcher = compile_constraints(constraints)
    bounded = any(constraint.type is ConstraintType.REGEX for constraint in constraints)
    for method, path in REQUESTS:
        met = [i for i, constraint in enumerate(constraints) if described(constraint, method, path)]
        if bounded and len(path) > MAX_REGEX_PATH_BYTES:
            met = []
        assert matcher.matching(method, path) == (met[0] if met else None)
        assert matcher.matches(method, path) is (bool(met) or not constraints)


@given(outer=LISTS, inner=LISTS)
def test_a_covered_list_lets_nothing_through_that_the_outer_does_not(outer, inner):
    assume(covers(outer, inner))
    for method, path in REQUESTS:
        if lets_through(inner, method, path):
            assert lets_through(outer, method, path)


@given(outer=LISTS, middle=LISTS, inner=LISTS)
def test_covering_is_passed_on(outer, middle, inner):
    if covers(outer, middle) and covers(middle, inner):
        assert covers(outer, inner)


@given(LISTS)
def test_every_list_covers_itself(constraints):
    assert covers(constraints, constraints)
    assert covers((), constraints)


@given(LISTS, st.data())
def test_leaving_constraints_out_never_widens(constraints, data):
    fewer = tuple(constraint for constraint in constraints if data.draw(st.booleans()))
    has_regex = [any(c.type is ConstraintType.REGEX for c in some) for some in (constraints, fewer)]
    assume(fewer and has_regex[0] == has_regex[1])
    assert covers(constraints, fewer)


LONG_A = "a" * 1024


@pytest.mark.parametrize(
    ("outer", "inner", "proved"),
    [
        pytest.param(
            [("exact", "/a", "")], [("exact", "a", "")], True, id="a leading slash makes no difference"
        ),
        pytest.param([("prefix", "/a", "")], [("exact", "/ab", "")], True, id="exact in prefix"),
        pytest.param([("exact", "/a", "")], [("prefix", "/a", "")], False, id="prefix in exact"),
        pytest.param([("prefix", "/a", "")], [("prefix", "/a/", "")], True, id="prefix in a shorter prefix"),
        pytest.param([("prefix", "/a/", "")], [("prefix", "/a", "")], False, id="prefix in a longer prefix"),
        pytest.param([("regex", "/a+", "")], [("exact", "/aa", "")], True, id="exact in regex"),
        pytest.param([("regex", "a+", "")], [("exact", LONG_A, "")], True, id="longest exact in regex"),
        pytest.param([("regex", "/a+", "")], [("exact", "/b", "")], False, id="exact beside regex"),
        pytest.param([("regex", "/a+", "")], [("regex", "/a+", "")], True, id="regex in the same regex"),
        pytest.param([("regex", "/a+", "")], [("regex", "a+", "")], False, id="regex in another spelling"),
        pytest.param([("regex", ".*", "")], [("regex", "/a", "")], False, id="regex in any regex"),
        pytest.param([("prefix", "/", "")], [("regex", "/a", "")], True, id="regex in any path"),
        pytest.param(
            [("prefix", "/a", "")], [("regex", "/a.*", "")], False, id="regex in prefix is not proved"
        ),
        pytest.param([("regex", "/a.*", "")], [("prefix", "/a", "")], False, id="prefix in regex"),
        pytest.param(
            [("regex", "/x", ""), ("prefix", "/a", "")],
            [("prefix", "/a/b", "")],
            False,
            id="a regex beside it shortens the outer prefix",
        ),
        pytest.param(
            [("regex", "/x", ""), ("prefix", "/a", "")],
            [("prefix", "/a/b", ""), ("regex", "/x", "")],
            True,
            id="a regex beside it shortens the inner prefix too",
        ),
        pytest.param(
            [("regex", "/x", ""), ("prefix", "/a", "")],
            [("exact", "/a/b", "")],
            True,
            id="an exact path is short by itself",
        ),
        pytest.param(
            [("regex", "/x", ""), ("verb", None, "GET")], [("verb", None, "GET")], False, id="verb, shortened"
        ),
        pytest.param([("prefix", "/", "")], [], False, id="any request, ambiguous too, in any clear request"),
        pytest.param([], [], True, id="any in any"),
        pytest.param([], [("verb", None, "GET")], True, id="something in any"),
        pytest.param([("verb", None, "GET")], [("prefix", "/", "GET")], True, id="any path in verb"),
        pytest.param([("prefix", "/", "GET")], [("verb", None, "GET")], True, id="verb in any path"),
        pytest.param(
            [("prefix", "/", "")], [("verb", None, "GET")], True, id="verb in any path of any method"
        ),
        pytest.param([("prefix", "/a", "")], [("verb", None, "GET")], False, id="verb in prefix"),
        pytest.param([("exact", "/a", "GET")], [("exact", "/a", "")], False, id="every method in one"),
        pytest.param(
            [("exact", "/a", "GET")], [("exact", "/a", "GET HEAD")], False, id="GET does not imply HEAD"
        ),
        pytest.param(
            [("exact", "/a", "GET"), ("prefix", "/", "HEAD")],
            [("exact", "/a", "GET HEAD")],
            True,
            id="each method covered by another constraint",
        ),
        pytest.param(
            [("exact", "/a", "GET"), ("exact", "/b", "HEAD")],
            [("exact", "/a", "GET HEAD")],
            False,
            id="a method covered for another path only",
        ),
        pytest.param(
            [("verb", None, "GET HEAD POST PUT PATCH DELETE OPTIONS")],
            [("exact", "/a", "")],
            False,
            id="methods named never add up to every method",
        ),
        pytest.param(
            [("exact", "/a", "")], [("exact", "/a", ""), ("exact", "/b", "")], False, id="one of two is wider"
        ),
    ],
)
def test_narrower_is_what_is_proved_to_be(outer, inner, proved):
    assert covers(made(*outer), made(*inner)) is proved


@given(st.sampled_from(ROUTES), st.text(alphabet="/ab.%2eE5cC;", max_size=8))
def test_no_request_under_a_prefix_leaves_it_when_normalised(prefix, rest):
    path = canonical_path("/" + prefix.removeprefix("/") + rest)
    if path is not None:
        assert lets_through(made(("prefix", prefix, "")), "GET", path) == path.startswith(
            "/" + prefix.removeprefix("/")
        )
