"""Whatever is written anywhere: settings, or BadSettings."""

import contextlib

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from coderai.errors import BadSettings
from coderai.settings.model import table
from tests.settings.loading import PREFIX, loaded

FLAGS = [f"--{flag}" for row in table().values() for flag in row.option.flags] + ["--check", "--config", "-c", "-l"]
VARIABLES = [name for row in table().values() for name in row.option.variables]
KEYS = ["TYPE", "NAME", "KEY", "KEYS", "BASE_URL", "BEDROCK_REGION", "BEDROCK_ACCESS_KEY", "BEDROCK_ACCESS_KEY_SECRET"]
VALUES = (
    st.sampled_from(["", '"a', "true", "1", "90d", "x", "openai", "anthropic", "https://a.example", ":1"]) | st.text()
)
NAMES = st.sampled_from(
    sorted({part for row in table().values() for key in row.option.yaml for part in key.split(".")})
)

TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | VALUES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(), inner, max_size=4),
    max_leaves=12,
)
QUICKLY = settings(max_examples=50, deadline=None)


@QUICKLY
@given(st.lists(st.one_of(st.sampled_from(FLAGS), st.builds("{}={}".format, st.sampled_from(FLAGS), VALUES), VALUES)))
def test_any_command_line(arguments):
    with contextlib.suppress(BadSettings):
        loaded(*arguments)


@QUICKLY
@given(st.dictionaries(st.sampled_from(VARIABLES), VALUES, max_size=6))
def test_any_environment(env):
    with contextlib.suppress(BadSettings):
        loaded(env=env)


@QUICKLY
@given(st.dictionaries(st.builds("{}{}_{}".format, st.just(PREFIX), st.integers(0, 2), st.sampled_from(KEYS)), VALUES))
def test_any_indexed_providers(env):
    with contextlib.suppress(BadSettings):
        loaded(env=env)


@QUICKLY
@given(st.dictionaries(NAMES, TREES, max_size=5))
def test_any_yaml(tree):
    with contextlib.suppress(BadSettings):
        loaded(yaml=yaml.safe_dump(tree))


@QUICKLY
@given(st.text())
def test_any_file(text):
    with contextlib.suppress(BadSettings):
        loaded(yaml=text)
