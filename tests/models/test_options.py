"""Options are checked by one table; the schema that the API serves says the same."""

import json
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coderai.kinds import KINDS
from coderai.models.checking import tidied, violations
from coderai.models.families import SPEECHES, UNSUPPORTED
from coderai.models.options import EFFORTS, FAMILIES, Option, table
from coderai.models.request import Message, ModelSpec, build_request
from coderai.models.schema import schema

VALIDATOR = jsonschema_rs.Draft202012Validator(schema())

WHOLE = st.integers(-(2**53), 2**54)
ANYTHING = st.recursive(
    st.none() | st.booleans() | WHOLE | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def allowed(option: Option) -> st.SearchStrategy[Any]:
    """Values without violations, but for neighbours that cannot be set together."""
    least, most = option.least or 0, option.most or 0
    members = {member.name: allowed(member) for member in option.members}
    together = st.fixed_dictionaries(members) if option.needs_all else st.fixed_dictionaries({}, optional=members)
    match option.kind:
        case "integer":
            return st.integers(int(least), int(most)) | st.just(float(least))
        case "number":
            return st.floats(least, most) | st.sampled_from([least, most])
        case "boolean":
            return st.booleans()
        case "string":
            return st.sampled_from(option.enum or ("x", " y ", ""))
        case "strings":
            return st.lists(st.sampled_from(["a", " b ", ""]), max_size=3)
        case "price":
            return st.sampled_from(["3", "0.30", " 15.00 ", 3, 0.3, 0])
        case "object":
            return st.dictionaries(st.sampled_from("ab"), ANYTHING, max_size=2)
        case "bias":
            return st.dictionaries(st.text(max_size=3), st.integers(-100, 100), max_size=2)
        case "groups":
            return st.lists(together, max_size=2)
        case "group":
            return together


def _wrong(option: Option) -> st.SearchStrategy[Any]:
    """Values just outside, and such as belong elsewhere."""
    least, most = option.least or 0, option.most or 0
    borders = st.sampled_from([least - 1, most + 1, -1, "-1", "1e3", "high ", True, "", 1.5, 10**9, "a" * 4097])
    reserved = st.dictionaries(st.sampled_from([*option.reserved, "a"]), st.just(1), max_size=2)
    return borders | reserved | ANYTHING


def _likely(option: Option) -> st.SearchStrategy[Any]:
    """A few members, each allowed or not, and now and then one that nobody knows."""
    if not option.members:
        return allowed(option) | _wrong(option)
    pairs = [st.tuples(st.just(member.name), _likely(member)) for member in option.members]
    return st.lists(st.one_of(pairs) | st.tuples(st.text(max_size=3), ANYTHING), max_size=4).map(dict) | _wrong(option)


LIKELY = _likely(table()).filter(lambda document: isinstance(document, dict))
ALLOWED = allowed(table()).map(tidied).filter(lambda document: not violations(document))


@given(LIKELY | allowed(table()))
@settings(max_examples=500, deadline=None)
def test_schema_and_checks_agree(document):
    document = tidied(document)
    assert (violations(document) == []) == VALIDATOR.is_valid(document)


@given(LIKELY)
@settings(max_examples=100, deadline=None)
def test_tidying_twice_changes_nothing(document):
    assert tidied(tidied(document)) == tidied(document)


@given(
    st.sampled_from(sorted(SPEECHES)),
    st.sampled_from(["claude-opus-4-6", "claude-sonnet-4-5", "gpt-5", "gpt-4.1", "gemini-3-pro", "a/b"]),
    ALLOWED,
    st.none() | st.sampled_from([*EFFORTS, "?"]),
)
@settings(max_examples=400, deadline=None)
def test_no_allowed_options_make_a_request_fail(provider_type, model, options, effort):
    request = build_request(ModelSpec(provider_type, model, options), [Message("user", "Hi")], effort=effort)
    assert request.body["model"] == model
    assert json.loads(json.dumps(request.body, allow_nan=False)) == request.body


WRONG = [
    ({"temperatur": 1}, "model_config.temperatur", "is not known; there are max_output_tokens, temperature"),
    ({"temperature": 3}, "model_config.temperature", "must be a number from 0 to 2"),
    ({"temperature": True}, "model_config.temperature", "must be a number from 0 to 2"),
    ({"max_output_tokens": 0}, "model_config.max_output_tokens", "must be a whole number from 1"),
    (
        {"cost": {"input_price_per_million_tokens": -1}},
        "model_config.cost.input_price_per_million_tokens",
        "must be greater than or equal to zero",
    ),
    (
        {"cost": {"output_price_per_million_tokens": "cheap"}},
        "model_config.cost.output_price_per_million_tokens",
        'must be dollars per million tokens, for example "3.00"',
    ),
    (
        {"provider_options": {"anthropic": {"effort": "huge"}}},
        "model_config.provider_options.anthropic.effort",
        "must be one of low, medium, high, xhigh, max",
    ),
    (
        {"provider_options": {"anthropic": {"allowed_domains": ["a"], "blocked_domains": ["b"]}}},
        "model_config.provider_options.anthropic.allowed_domains",
        "cannot be set together with blocked_domains",
    ),
    (
        {"provider_options": {"vercel": {"extra_body": {"model": "x"}}}},
        "model_config.provider_options.vercel.extra_body.model",
        "is set by the request itself",
    ),
    ({"reasoning_effort": {"default": "low"}}, "model_config.reasoning_effort.max", "is required here"),
    (
        {"provider_options": {"google": {"safety_settings": [{"category": "a"}]}}},
        "model_config.provider_options.google.safety_settings[0].threshold",
        "is required here",
    ),
    (
        {"provider_options": {"openai": {"metadata": {"a": [float("nan")]}}}},
        "model_config.provider_options.openai.metadata",
        "must hold numbers that JSON can write",
    ),
    ({"provider_options": {"openai": {"store": "yes"}}}, "model_config.provider_options.openai.store", "true or false"),
]


@pytest.mark.parametrize(("document", "path", "text"), WRONG)
def test_what_is_wrong_is_told_at_its_field(document, path, text):
    [(where, what)] = violations(tidied(document))
    assert where == path
    assert text in what


def test_options_are_kept_without_anything_that_is_empty():
    document = {
        "temperature": None,
        "reasoning_effort": {},
        "cost": {"input_price_per_million_tokens": 3, "output_price_per_million_tokens": 0.25},
        "provider_options": {
            "openai": {"user": "  ", "include": [" "], "metadata": {}},
            "google": {"threshold": " x "},
        },
    }
    assert tidied(document) == {
        "cost": {"input_price_per_million_tokens": "3", "output_price_per_million_tokens": "0.25"},
        "provider_options": {"openai": {}, "google": {"threshold": "x"}},
    }


def test_a_schema_for_one_family():
    own = schema(("google",))["properties"]["provider_options"]["properties"]
    assert list(own) == ["google"]
    level = own["google"]["properties"]["thinking_config"]["properties"]["thinking_level"]
    assert level["enum"] == ["minimal", "low", "medium", "high"]
    assert level["x-conflicts-with"] == ["thinking_budget"]


def test_every_type_of_provider_has_its_options_or_is_named_as_unsupported():
    assert set(SPEECHES) | set(UNSUPPORTED) == set(KINDS)
    assert {speech.options for speech in SPEECHES.values()} == set(FAMILIES)
