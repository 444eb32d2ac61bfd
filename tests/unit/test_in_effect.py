"""Where each setting was given, and that no secret is told."""

from pathlib import Path

import pytest

from keystead.settings import SETTINGS, load_settings
from keystead.settings.in_effect import Source, in_effect

SECRET = "s" * 40


def _found(environ, name, **options):
    told = in_effect(load_settings(environ, **options), environ)
    return next(it for it in told if it.name == name)


@pytest.mark.parametrize(
    ("environ", "options", "source", "value"),
    [
        ({}, {}, Source.DEFAULT, "8420"),
        ({"KEYSTEAD_PORT": "9000"}, {}, Source.ENVIRONMENT, "9000"),
        ({"KEYSTEAD_PORT": "8420"}, {}, Source.ENVIRONMENT, "8420"),
        ({"KEYSTEAD_PORT": ""}, {}, Source.DEFAULT, "8420"),
        ({}, {"port": 9000}, Source.OPTION, "9000"),
        ({"KEYSTEAD_PORT": "9000"}, {"port": 9100}, Source.OPTION, "9100"),
    ],
)
def test_a_setting_is_told_with_where_it_was_given(environ, options, source, value):
    found = _found(environ, "KEYSTEAD_PORT", **options)
    assert (found.source, found.value) == (source, value)


def test_a_file_is_told_as_such(tmp_path: Path):
    path = tmp_path / "port"
    path.write_text("9000")
    assert _found({"KEYSTEAD_PORT_FILE": str(path)}, "KEYSTEAD_PORT").source is Source.FILE


def test_every_setting_is_there_and_no_secret_is_told():
    environ = {"KEYSTEAD_SECRET_KEY": SECRET, "KEYSTEAD_DATABASE_URL": f"postgresql://u:{SECRET}@h/d"}
    told = in_effect(load_settings(environ), environ)
    assert [it.name for it in told] == [it.name for it in SETTINGS]
    assert SECRET not in repr(told)
    assert _found(environ, "KEYSTEAD_SECRET_KEY").source is Source.ENVIRONMENT
