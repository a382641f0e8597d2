"""Options of a model: from the schema to a form and back."""

import pytest

from coderai.models.families import SPEECHES
from coderai.models.schema import schema
from coderai.web.model_fields import Field, fields, merged, written

ANTHROPIC = list(fields(schema(("anthropic",))))
BY_PATH = {field.path: field for field in ANTHROPIC}


def test_every_option_that_is_meant_to_be_seen_has_an_input():
    assert BY_PATH["temperature"].kind == "number"
    assert BY_PATH["provider_options.anthropic.effort"].choices == ("low", "medium", "high", "xhigh", "max")
    assert BY_PATH["provider_options.anthropic.send_reasoning"].kind == "switch"
    assert BY_PATH["provider_options.anthropic.allowed_domains"].kind == "lines"
    assert BY_PATH["cost.input_price_per_million_tokens"].group.startswith("Prices")


@pytest.mark.parametrize("family", sorted({each.options for each in SPEECHES.values()}))
def test_no_two_inputs_have_one_name(family):
    names = [field.name for field in fields(schema((family,)))]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("path", "typed", "value"),
    [
        ("temperature", "0.5", 0.5),
        ("max_output_tokens", "4096", 4096),
        ("max_output_tokens", "many", "many"),
        ("provider_options.anthropic.send_reasoning", "false", False),
        ("provider_options.anthropic.allowed_domains", "a.example\n\n b.example ", ["a.example", "b.example"]),
        ("cost.input_price_per_million_tokens", "3.00", "3.00"),
    ],
)
def test_what_is_typed_becomes_a_document_and_back(path, typed, value):
    document = merged({}, iter(ANTHROPIC), {f"model_config.{path}": typed})
    for name in path.split("."):
        document = document[name]
    assert document == value


def test_an_empty_input_unsets_and_empty_groups_go():
    before = {"cost": {"input_price_per_million_tokens": "3"}, "temperature": 1}
    given = {"model_config.cost.input_price_per_million_tokens": "", "model_config.temperature": "1"}
    assert merged(before, iter(ANTHROPIC), given) == {"temperature": 1}


def test_what_has_no_input_stays():
    before = {"provider_options": {"openai": {"user": "somebody"}}}
    assert merged(before, iter(ANTHROPIC), {"model_config.temperature": "1"}) == {**before, "temperature": 1}


def test_values_are_written_as_they_are_typed():
    document = {"a": {"b": [1, 2]}, "yes": True, "half": 0.5}
    assert written(document, Field("a.b", "", "", "", "lines")) == "1\n2"
    assert written(document, Field("yes", "", "", "", "switch")) == "true"
    assert written(document, Field("half", "", "", "", "number")) == "0.5"
    assert written(document, Field("a.b.c", "", "", "", "text")) == ""
