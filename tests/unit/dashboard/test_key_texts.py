"""Texts of keys whose ids are put together: there is one for each word of a closed set."""

import pytest

from keystead.dashboard.key_form import AGAIN, KEEP, LENGTHS, NEVER, ON_DATE
from keystead.dashboard.key_view import State
from keystead.dashboard.pages.key_tokens import GRACES
from keystead.dashboard.tester import Answer
from keystead.dashboard.texts import Texts
from keystead.domain.checkup import Finding
from keystead.domain.constraints import ConstraintType
from keystead.domain.keys import KeyType, RevokedReason

IDS = [
    *(f"keys.answer-{it}" for it in Answer if it is not Answer.NOTHING),
    *(f"keys.{kind}-{it}" for it in Finding for kind in ("found", "well", "fix")),
    *(f"keys.rule-{it}" for it in ConstraintType),
    *(f"keys.type-{it}" for it in (*ConstraintType, *KeyType)),
    *(f"keys.reason-{it}" for it in RevokedReason),
    *(f"keys.state-{it}" for it in State),
    *(f"keys.grace-{it}" for it in GRACES),
    *(f"keys.expiry-{it}" for it in (*LENGTHS, KEEP, NEVER, AGAIN, ON_DATE)),
    *(f"keys.{verb}-{part}" for verb in ("disable", "enable") for part in ("title", "text", "press")),
    "copy-button-aria-label",
    "no-key-text",
    "generate-key-text",
    "regenerate-button-text",
    "text-field-label",
]


@pytest.mark.parametrize("message_id", IDS)
def test_every_word_of_a_closed_set_has_its_text(english: Texts, spanish: Texts, message_id: str):
    assert english.has(message_id)
    assert spanish.has(message_id)
