"""Policy numbers: many keys say the same, and it is kept once."""

import hashlib
from collections.abc import Callable

import msgspec

from keystead import __version__
from keystead.domain.policy import Rules
from keystead.replica.files import Opened, Transaction
from keystead.replica.format import (
    FACT_NEXT_POLICY,
    FACT_UNREADABLE,
    FACTS,
    NUMBER,
    NUMBERS,
    POLICIES,
    UNREADABLE,
    decode_number,
    encode_number,
    encode_rules,
    seal,
)

ReadRules = Callable[[tuple[object, ...]], Rules | None]

_NAME_BYTES = 16
_ENCODER = msgspec.msgpack.Encoder()

MAX_KNOWN = 16_384
"""How many rules are remembered with their number, so that a version costs one look-up in memory."""


class Numbers:
    """The policy numbers of one file, for the transactions that write it, one after another."""

    def __init__(self, opened: Opened, read_rules: ReadRules) -> None:
        self._policies = opened.databases[POLICIES]
        self._numbers = opened.databases[NUMBERS]
        self._facts = opened.databases[FACTS]
        self._read_rules = read_rules
        self._known: dict[tuple[object, ...], int] = {}

    def of(self, stored: tuple[object, ...], transaction: Transaction) -> int:
        """The number of the rules that are `stored` so; they get the next one if they have none."""
        number = self._known.get(stored)
        if number is None:
            number = self._find_or_give(stored, transaction)
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            self._known[stored] = number
        return number

    def forget(self) -> None:
        """To be called when a transaction was undone: what it gave was not given."""
        self._known.clear()

    def _find_or_give(self, stored: tuple[object, ...], transaction: Transaction) -> int:
        name = hashlib.sha256(_ENCODER.encode(stored)).digest()[:_NAME_BYTES]
        given = transaction.get(name, db=self._numbers)
        if given is not None:
            return decode_number(given)
        rules = self._read_rules(stored)
        if rules is None:
            transaction.put(FACT_UNREADABLE, seal(__version__.encode()), db=self._facts)
            return UNREADABLE
        number = self._next(transaction)
        transaction.put(NUMBER.pack(number), encode_rules(rules), db=self._policies)
        transaction.put(name, encode_number(number), db=self._numbers)
        return number

    def _next(self, transaction: Transaction) -> int:
        value = transaction.get(FACT_NEXT_POLICY, db=self._facts)
        number = UNREADABLE + 1 if value is None else decode_number(value)
        transaction.put(FACT_NEXT_POLICY, encode_number(number + 1), db=self._facts)
        return number
