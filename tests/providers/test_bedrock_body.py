import json

import pytest

from coderai.providers.bedrock_body import invoke_body, kept_betas
from coderai.providers.bedrock_models import BETAS

SONNET_45 = "global.anthropic.claude-sonnet-4-5-20250929-v1:0"
HAIKU_45 = "global.anthropic.claude-haiku-4-5-20251001-v1:0"
OPUS_45 = "eu.anthropic.claude-opus-4-5-20251101-v1:0"
SONNET_46 = "us.anthropic.claude-sonnet-4-6"
OPUS_46 = "us.anthropic.claude-opus-4-6-v1"
OPUS_47 = "us.anthropic.claude-opus-4-7"
OPUS_48 = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-opus-4-8"
SONNET_5 = "anthropic.claude-sonnet-5-20260601-v1:0"
EFFORT = "effort-2025-11-24"
CONTEXT = "context-management-2025-06-27"
TAIL = '"anthropic_version":"bedrock-2023-05-31"'


def rewritten(body, model=SONNET_45, *beta):
    return invoke_body(body.encode(), model, kept_betas(model, beta)).decode()


def test_everything_else_keeps_its_bytes_and_its_order():
    body = (
        '{\n  "temperature" : 1.0,\n  "model" : "claude-opus-4-6",\n  "new" : {"x":12345678901234567890, "y":[ 1 ]},'
        '\n  "stream":true , "max_tokens":500e1,\n  "system":"\\u00e9 \\/ ü"\n}'
    )
    assert rewritten(body) == (
        '{\n  "temperature" : 1.0,\n  "new" : {"x":12345678901234567890, "y":[ 1 ]}'
        f' , "max_tokens":500e1,\n  "system":"\\u00e9 \\/ ü",{TAIL}\n}}'
    )


def test_the_same_request_gives_the_same_bytes():
    body = '{"model":"m","messages":[],"thinking":{"type":"adaptive"},"max_tokens":9000}'
    assert rewritten(body, SONNET_45, EFFORT) == rewritten(body, SONNET_45, EFFORT)


@pytest.mark.parametrize(
    ("model", "thinking", "more", "expected"),
    [
        # models that only decide themselves
        (OPUS_47, '{"type":"enabled","budget_tokens":2048}', '"max_tokens":9000', '{"type":"adaptive"}'),
        (OPUS_48, '{"budget_tokens":2048, "type":"enabled"}', '"max_tokens":9000', '{"type":"adaptive"}'),
        (
            SONNET_5,
            '{"type":"enabled","budget_tokens":1,"display":"omitted"}',
            '"a":1',
            '{"type":"adaptive","display":"omitted"}',
        ),
        (OPUS_47, '{"type":"adaptive"}', '"a":1', '{"type":"adaptive"}'),
        (OPUS_47, '{"type":"disabled"}', '"a":1', '{"type":"disabled"}'),
        # models that take both
        (
            OPUS_46,
            '{"type":"adaptive", "display":"summarized"}',
            '"a":1',
            '{"type":"adaptive", "display":"summarized"}',
        ),
        (
            SONNET_46,
            '{"type":"enabled","budget_tokens":2048}',
            '"a":1',
            '{"type":"enabled","budget_tokens":2048}',
        ),
        # models that want a budget
        (SONNET_45, '{"type":"adaptive"}', '"max_tokens":10000', '{"type":"enabled","budget_tokens":8000}'),
        (
            SONNET_45,
            '{"type":"adaptive"}',
            '"max_tokens":10000,"output_config":{"effort":"low"}',
            '{"type":"enabled","budget_tokens":2000}',
        ),
        (
            SONNET_45,
            '{"type":"adaptive"}',
            '"max_tokens":10000,"output_config":{"effort":"medium"}',
            '{"type":"enabled","budget_tokens":5000}',
        ),
        (
            SONNET_45,
            '{"type":"adaptive"}',
            '"max_tokens":10000,"output_config":{"effort":"high"}',
            '{"type":"enabled","budget_tokens":8000}',
        ),
        (
            SONNET_45,
            '{"type":"adaptive"}',
            '"max_tokens":10001,"output_config":{"effort":"max"}',
            '{"type":"enabled","budget_tokens":9500}',
        ),
        (
            SONNET_45,
            '{"type":"adaptive"}',
            '"max_tokens":10000,"output_config":{"effort":"xhigh"}',
            '{"type":"enabled","budget_tokens":8000}',
        ),
        (SONNET_45, '{"type":"adaptive"}', '"max_tokens":1280', '{"type":"enabled","budget_tokens":1024}'),
        (SONNET_45, '{"type":"adaptive"}', '"max_tokens":1279', '{"type":"disabled"}'),
        (HAIKU_45, '{"type":"adaptive","display":"omitted"}', '"max_tokens":1', '{"type":"disabled"}'),
        (SONNET_45, '{"type":"enabled","budget_tokens":7}', '"max_tokens":10', '{"type":"enabled","budget_tokens":7}'),
        # what nobody can compute goes to Bedrock, which says what is wrong with it
        (SONNET_45, '{"type":"adaptive"}', '"a":1', '{"type":"adaptive"}'),
        (SONNET_45, '{"type":"adaptive"}', '"max_tokens":"many"', '{"type":"adaptive"}'),
        (SONNET_45, '{"type":"adaptive"}', '"max_tokens":true', '{"type":"adaptive"}'),
        (SONNET_45, '"adaptive"', '"max_tokens":9000', '"adaptive"'),
    ],
)
def test_thinking(model, thinking, more, expected):
    body = f'{{"thinking":{thinking},{more}}}'
    assert f'"thinking":{expected},' in rewritten(body, model)


@pytest.mark.parametrize(
    ("model", "beta", "config", "expected"),
    [
        (SONNET_45, (), '{"effort":"low"}', None),
        (SONNET_45, (EFFORT,), '{"effort":"low"}', None),
        (OPUS_46, (EFFORT,), '{"effort":"low"}', None),
        (OPUS_45, (), '{"effort":"low"}', None),
        (OPUS_45, (EFFORT,), '{ "effort" : "low" }', '{ "effort" : "low" }'),
        (OPUS_47, (), '{ "effort" : "low" }', '{ "effort" : "low" }'),
        (OPUS_47, (), '{"format":{"type":"json_schema"}, "effort":"low"}', '{"effort":"low"}'),
        (OPUS_47, (), '{"format":{"type":"json_schema"}}', None),
        (OPUS_47, (), '"odd"', '"odd"'),
    ],
)
def test_output_config(model, beta, config, expected):
    left = f'"output_config":{expected},' if expected else ""
    flags = f',"anthropic_beta":["{EFFORT}"]' if model == OPUS_45 and beta else ""
    assert rewritten(f'{{"output_config":{config},"a":1}}', model, *beta) == f'{{{left}"a":1,{TAIL}{flags}}}'


@pytest.mark.parametrize("name", ["metadata", "service_tier", "container", "inference_geo", "context_management"])
def test_members_that_bedrock_refuses_are_removed(name):
    assert rewritten(f'{{"{name}":{{"a":[1]}},"max_tokens":1}}') == f'{{"max_tokens":1,{TAIL}}}'


@pytest.mark.parametrize(("model", "kept"), [(SONNET_45, True), (HAIKU_45, True), (OPUS_46, False)])
def test_context_management_stays_with_its_flag(model, kept):
    assert ("context_management" in rewritten('{"context_management":{"edits":[]}}', model, CONTEXT)) is kept


def test_a_version_of_the_clients_own_stays():
    body = '{"anthropic_version":"bedrock-2099-01-01"}'
    assert rewritten(body) == body


@pytest.mark.parametrize(
    ("model", "headers", "expected"),
    [
        (SONNET_45, [], []),
        (SONNET_45, ["claude-code-20250219, interleaved-thinking-2025-05-14"], ["interleaved-thinking-2025-05-14"]),
        (
            SONNET_45,
            ["output-128k-2025-02-19", " context-1m-2025-08-07 ,,output-128k-2025-02-19"],
            ["output-128k-2025-02-19", "context-1m-2025-08-07"],
        ),
        (SONNET_45, [",".join(BETAS)], [flag for flag in BETAS if flag != EFFORT]),
        (HAIKU_45, [",".join(BETAS)], [flag for flag in BETAS if flag != EFFORT]),
        (OPUS_45, [",".join(BETAS)], [flag for flag in BETAS if flag != CONTEXT]),
        (OPUS_47, [",".join(BETAS)], [flag for flag in BETAS if flag not in (CONTEXT, EFFORT)]),
    ],
)
def test_beta_flags_that_the_model_does_not_take_are_dropped(model, headers, expected):
    assert kept_betas(model, headers) == expected


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ("", '["context-1m-2025-08-07"]'),
        ('"anthropic_beta":["mine","context-1m-2025-08-07"],', '["mine", "context-1m-2025-08-07"]'),
        ('"anthropic_beta":["mine"],', '["mine", "context-1m-2025-08-07"]'),
        ('"anthropic_beta":"odd",', '["context-1m-2025-08-07"]'),
    ],
)
def test_beta_flags_move_into_the_body(own, expected):
    said = json.loads(rewritten(f'{{{own}"a":1}}', SONNET_45, "context-1m-2025-08-07,unknown-2020-01-01"))
    assert json.dumps(said["anthropic_beta"]) == expected


def test_flags_in_the_body_stay_as_they_are_when_no_header_adds_any():
    assert '"anthropic_beta":[ "mine" ]' in rewritten('{"anthropic_beta":[ "mine" ]}')
