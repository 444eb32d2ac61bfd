"""Secrets of sessions and links: all of their chance, and nothing of them shown."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.domain.secrets import SECRET_ENTROPY_BYTES, Secret, make_secret, presented_secret
from keystead.domain.tokens import DIGEST_SHA256

CHANCE = st.binary(min_size=SECRET_ENTROPY_BYTES, max_size=SECRET_ENTROPY_BYTES)


@given(CHANCE, CHANCE)
def test_a_secret_is_as_long_as_any_and_keeps_all_chance(one, other):
    first, second = make_secret(one), make_secret(other)
    assert len(first.reveal()) == 43
    assert (first.reveal() == second.reveal()) is (one == other)
    presented = presented_secret(first.reveal())
    assert presented is not None
    assert presented.digest == first.digest
    assert first.digest.startswith(DIGEST_SHA256)
    assert len(first.digest) == 33


@pytest.mark.parametrize(
    "text", ["", "0" * 42, "0" * 44, "0" * 42 + "-", "0" * 42 + "\n", "é" * 43, "\u0660" * 43]
)
def test_what_cannot_be_one_is_none(text):
    assert presented_secret(text) is None


def test_it_prints_as_nothing_and_is_never_serialised():
    secret = make_secret(bytes(range(32)))
    for shown in (repr(secret), str(secret), f"{secret}", repr([secret])):
        assert secret.reveal() not in shown
    with pytest.raises(TypeError) as caught:
        pickle.dumps(secret)
    assert secret.reveal() not in str(caught.value)
    assert isinstance(secret, Secret)
