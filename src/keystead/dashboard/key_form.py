"""What people type of a key: read as it came, kept for showing the form again, and made into a draft."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import partial
from itertools import count, takewhile

from msgspec import UNSET, UnsetType

from keystead.dashboard.faults import fault_text
from keystead.dashboard.forms import Form
from keystead.dashboard.lists import by_field, lines_of
from keystead.dashboard.texts import Texts
from keystead.dashboard.times import find_zone
from keystead.domain.constraints import (
    MAX_CONSTRAINTS,
    Constraint,
    ConstraintType,
    make_constraint,
)
from keystead.domain.errors import InvalidInput
from keystead.domain.keys import Environment, Key, KeyType
from keystead.domain.text import make_name
from keystead.services.drafts import (
    ConstraintDraft,
    KeyChange,
    NewKey,
    NewPersonalKey,
    Rotation,
    drafted_constraints,
    drafted_labels,
    drafted_networks,
    drafted_origins,
)

LENGTHS = {
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
    "90d": timedelta(days=90),
    "1y": timedelta(days=365),
}
"""Expiries that are chosen by one press."""

KEEP, NEVER, AGAIN, ON_DATE = "keep", "never", "again", "date"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
READING = ("GET", "HEAD")

_TOP = re.compile(r"[.\[]")
_SINGLE = ("name", "type", "environment", "expiry", "date", "zone", "networks", "origins", "labels")


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiry:
    """An expiry that was chosen, as drafts take it; UNSET both: as it is, or as the ceiling says."""

    at: datetime | UnsetType | None = UNSET
    in_s: int | UnsetType = UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A line of the constraints builder, as typed."""

    type: str = ConstraintType.PREFIX
    pattern: str = ""
    methods: tuple[str, ...] = ()

    @property
    def blank(self) -> bool:
        """Whether nothing was typed in it: then it is no rule."""
        return not self.pattern and not self.methods

    @property
    def choices(self) -> Sequence[tuple[str, str]]:
        """Methods to choose from, as value and label: the usual ones, and those it has already."""
        return [(it, it) for it in dict.fromkeys((*METHODS, *self.methods))]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyForm:
    """The form of a key, as typed; lists of places and labels have a line for each."""

    name: str = ""
    type: str = KeyType.SECRET
    environment: str = Environment.LIVE
    expiry: str = NEVER
    date: str = ""
    zone: str = ""
    rules: tuple[Rule, ...] = ()
    networks: str = ""
    origins: str = ""
    labels: str = ""
    scopes: tuple[str, ...] = ()

    @property
    def fields(self) -> Iterator[tuple[str, str]]:
        """All of it as pairs of field and value, for carrying it to the next page."""
        for name in _SINGLE:
            yield name, getattr(self, name)
        for number, rule in enumerate(self.rules):
            yield f"c{number}-type", rule.type
            yield f"c{number}-pattern", rule.pattern
            yield from ((f"c{number}-methods", it) for it in rule.methods)
        yield from (("scopes", it) for it in self.scopes)

    @property
    def constraints(self) -> Sequence[ConstraintDraft]:
        """The rules that are not blank. Raises InvalidInput for a type that there is not."""
        return [
            ConstraintDraft(
                type=_type(rule.type, number), pattern=rule.pattern or None, methods=list(rule.methods)
            )
            for number, rule in enumerate(self.rules)
            if not rule.blank
        ]

    @property
    def made(self) -> Sequence[tuple[int, Constraint]]:
        """The rules that can be made, with their numbers in the form: what a tester can judge."""
        return [
            (number, made) for number, rule in enumerate(self.rules) if (made := _constraint(number, rule))
        ]


def read_key_form(form: Form) -> KeyForm:
    """The form as it was sent."""
    numbers = takewhile(lambda it: form.text(f"c{it}-type"), count())
    return KeyForm(
        name=form.text("name"),
        type=form.text("type") or KeyType.SECRET,
        environment=form.text("environment") or Environment.LIVE,
        expiry=form.text("expiry") or NEVER,
        date=form.text("date"),
        zone=form.text("zone"),
        rules=tuple(_rule(form, it) for it in numbers),
        networks=form.text("networks"),
        origins=form.text("origins"),
        labels=form.text("labels"),
        scopes=form.all("scopes"),
    )


def form_of(key: Key) -> KeyForm:
    """The form that a key's page for editing begins with."""
    return KeyForm(
        name=key.name,
        type=key.type,
        environment=key.environment,
        expiry=KEEP,
        rules=tuple(
            Rule(type=it.type, pattern=it.pattern or "", methods=it.methods) for it in key.constraints
        ),
        networks="\n".join(key.allowed_networks),
        origins="\n".join(key.allowed_origins),
        labels="\n".join(f"{name}={value}" for name, value in key.labels.items()),
        scopes=key.scopes,
    )


def rearranged(typed: KeyForm, wish: str) -> KeyForm | None:
    """The form after one of the builder's own buttons; None for a button that is none of them."""
    verb, _, number = wish.partition(":")
    if verb == "remove":
        return replace(typed, rules=tuple(it for at, it in enumerate(typed.rules) if str(at) != number))
    rules = {
        "add": (*typed.rules, Rule())[:MAX_CONSTRAINTS],
        "any": (),
        "read": (Rule(type=ConstraintType.VERB, methods=READING),),
        "path": (Rule(),),
        "try": typed.rules,
    }.get(verb)
    return None if rules is None else replace(typed, rules=rules)


def faults(typed: KeyForm, zone: tzinfo, texts: Texts) -> Mapping[str, str]:
    """Everything that is wrong with a form, by the field that it is to be shown at."""
    found: list[InvalidInput] = []
    for number, rule in enumerate(typed.rules):
        if not rule.blank:
            _judge(found, partial(_make, number, rule))
    if not found:
        _judge(found, lambda: drafted_constraints(typed.constraints))
    _judge(found, lambda: make_name(typed.name))
    _judge(found, lambda: chosen_expiry(typed, zone))
    _judge(found, lambda: drafted_networks(lines_of(typed.networks)))
    _judge(found, lambda: drafted_origins(lines_of(typed.origins)))
    _judge(found, lambda: drafted_labels(labels_of(typed.labels)))
    return shown_at({it.field: fault_text(texts, it) for it in found}, typed)


def unmade(typed: KeyForm, texts: Texts) -> Mapping[int, str]:
    """What is wrong with each rule that cannot be made, by its number in the form."""
    found: dict[int, str] = {}
    for number, rule in enumerate(typed.rules):
        problems: list[InvalidInput] = []
        if not rule.blank:
            _judge(problems, partial(_make, number, rule))
        for problem in problems:
            found[number] = fault_text(texts, problem)
    return found


def shown_at(errors: Mapping[str, str], typed: KeyForm) -> Mapping[str, str]:
    """Faults of a draft by the fields of the form; of a list, the line that is wrong is named."""
    lists = {"allowed_networks": typed.networks, "allowed_origins": typed.origins}
    return {field_of(place): it for place, it in by_field(errors, lists).items()}


def field_of(place: str) -> str:
    """The field of the form at which a fault in `place` of a draft is shown."""
    return {
        "allowed_networks": "networks",
        "allowed_origins": "origins",
        "constraints": "rules",
        "expires_at": "expiry",
        "expires_in": "expiry",
        "labels": "labels",
    }.get(_TOP.split(place, maxsplit=1)[0], place.replace(".", "-"))


def new_key(typed: KeyForm, zone: tzinfo) -> NewKey:
    """The draft of a new app key. Raises InvalidInput."""
    expiry = chosen_expiry(typed, zone)
    return NewKey(
        name=typed.name,
        type=_key_type(typed.type),
        # Said only where it is said: with nothing said, it ends as the ceiling says.
        expires_at=UNSET if expiry.at is None else expiry.at,
        expires_in=expiry.in_s,
        constraints=list(typed.constraints),
        allowed_origins=lines_of(typed.origins),
        allowed_networks=lines_of(typed.networks),
        scopes=list(typed.scopes),
        labels=labels_of(typed.labels),
    )


def new_personal_key(typed: KeyForm, zone: tzinfo, organization_id: str) -> NewPersonalKey:
    """The draft of a new personal key in an organization. Raises InvalidInput."""
    draft = new_key(typed, zone)
    return NewPersonalKey(
        name=draft.name,
        type=draft.type,
        expires_at=draft.expires_at,
        expires_in=draft.expires_in,
        constraints=draft.constraints,
        allowed_origins=draft.allowed_origins,
        allowed_networks=draft.allowed_networks,
        scopes=draft.scopes,
        labels=draft.labels,
        environment=Environment.TEST if typed.environment == Environment.TEST else Environment.LIVE,
        organization_id=organization_id,
    )


def chosen_rotation(typed: KeyForm, zone: tzinfo, lifetime: timedelta | None, grace_s: int) -> Rotation:
    """The draft of a rotation; `AGAIN` counts the lifetime of the key anew. Raises InvalidInput."""
    expiry = chosen_expiry(typed, zone)
    if typed.expiry == AGAIN and lifetime is not None:
        expiry = Expiry(in_s=max(int(lifetime.total_seconds()), 1))
    return Rotation(grace_s=grace_s, expires_at=expiry.at, expires_in=expiry.in_s)


def key_change(typed: KeyForm, zone: tzinfo) -> KeyChange:
    """The draft of a change of a key. Raises InvalidInput."""
    expiry = chosen_expiry(typed, zone)
    return KeyChange(
        name=typed.name,
        expires_at=expiry.at,
        expires_in=expiry.in_s,
        constraints=list(typed.constraints),
        allowed_origins=lines_of(typed.origins),
        allowed_networks=lines_of(typed.networks),
        scopes=list(typed.scopes),
        labels=labels_of(typed.labels),
    )


def chosen_expiry(typed: KeyForm, zone: tzinfo) -> Expiry:
    """The expiry that was chosen. Raises InvalidInput for a date that is none."""
    if typed.expiry in LENGTHS:
        return Expiry(in_s=int(LENGTHS[typed.expiry].total_seconds()))
    if typed.expiry == ON_DATE:
        return Expiry(at=end_of_day(typed.date, zone))
    return Expiry(at=None) if typed.expiry == NEVER else Expiry()


def end_of_day(text: str, zone: tzinfo) -> datetime:
    """The last second of a day where the person is. Raises InvalidInput for what is no day."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise InvalidInput("date", "choose a day, such as 2027-02-14", rule="date") from None
    # Where clocks are put back at midnight, the day has that second twice: the later one ends it.
    return datetime.combine(day, time(23, 59, 59), tzinfo=zone).replace(fold=1).astimezone(UTC)


def zone_of(chosen: str | None, typed: KeyForm) -> tzinfo:
    """The time zone that dates are meant in: the person's, else their browser's, else UTC."""
    return find_zone(chosen) or find_zone(typed.zone) or UTC


def labels_of(text: str) -> dict[str, str]:
    """Labels, one `name=value` on each line. Raises InvalidInput."""
    pairs = [line.partition("=") for line in lines_of(text)]
    if not all(mark for _, mark, _ in pairs):
        raise InvalidInput("labels", "write name=value, one on each line", rule="label")
    return {name.strip(): value.strip() for name, _, value in pairs}


def _rule(form: Form, number: int) -> Rule:
    return Rule(
        type=form.text(f"c{number}-type"),
        pattern=form.text(f"c{number}-pattern"),
        methods=form.all(f"c{number}-methods"),
    )


def _constraint(number: int, rule: Rule) -> Constraint | None:
    if rule.blank:
        return None
    try:
        return _make(number, rule)
    except InvalidInput:
        return None


def _make(number: int, rule: Rule) -> Constraint:
    return make_constraint(rule.type, rule.pattern or None, rule.methods, field=f"c{number}")


def _type(text: str, number: int) -> ConstraintType:
    try:
        return ConstraintType(text)
    except ValueError:
        problem = f"choose one of {', '.join(ConstraintType)}"
        raise InvalidInput(f"c{number}-type", problem, rule="match") from None


def _key_type(text: str) -> KeyType:
    try:
        return KeyType(text)
    except ValueError:
        raise InvalidInput("type", f"choose one of {', '.join(KeyType)}", rule="choice") from None


def _judge(found: list[InvalidInput], make: Callable[[], object]) -> None:
    try:
        make()
    except InvalidInput as error:
        found.append(error)
