from pathlib import Path

import pytest
import yaml

from coderai.settings.model import table
from coderai.settings.rendering import example, help_text, write_config
from tests.settings.loading import indexed, loaded

ROWS = list(table().values())
EXAMPLE = Path(__file__).parents[2] / "config.example.yaml"
CHANGED = {
    "CODERAI_DATA_DIR": "/srv/täglich",
    "CODERAI_DATABASE_URL": "postgresql://u:canary@h/d",
    "CODER_AIBRIDGE_OPENAI_KEY": "canary",
    "CODER_AIBRIDGE_RETENTION": "36h",
    "CODER_AIBRIDGE_ENABLED": "1",
    "CODER_LOGGING_HUMAN": "",
    "CODER_LOGGING_JSON": '/tmp/a "b": #c',
    "CODER_LOG_FILTER": '"a,b",\\d+',
    "CODER_HTTP_ADDRESS": ":3000",
    "CODER_AIBRIDGE_PROXY_UPSTREAM": "http://u:canary@proxy:1",
}


def test_the_example_file_is_what_the_code_renders():
    assert EXAMPLE.read_text(encoding="utf-8") == example(), (
        "python -m coderai.settings.rendering > config.example.yaml"
    )


def test_the_example_file_as_it_is_changes_nothing():
    result = loaded(yaml=example())
    assert (result.provenance, result.warnings) == ({}, ())


def test_the_example_file_uncommented_sets_every_default():
    lines = [
        line.replace("#", "", 1) if line.lstrip().startswith("#") and is_setting(line) else line for line in shown()
    ]
    result = loaded(yaml="\n".join(lines))
    assert set(result.provenance) == {row.name for row in ROWS if row.option.yaml}
    assert result.settings == loaded().settings
    assert result.warnings == ()


def shown():
    """The example without its example of a provider."""
    head, _, rest = example().partition("  #providers:")
    return [*head.splitlines(), *rest[rest.index("\n  # Run the gateway") :].splitlines()]


def is_setting(line):
    return not line.lstrip().startswith("# ") and line.strip() != "#" and not line.startswith("#  ")


def test_the_provider_of_the_example_file_works():
    text = example()
    start = text.index("  #providers:")
    block = text[start : text.index("\n  # Run the gateway")]
    uncommented = "aibridge:\n" + block.replace("  #", "  ")
    (provider,) = loaded(yaml=uncommented, env={"ANTHROPIC_CORP_KEY": "k"}).settings.providers
    assert (provider.name, provider.keys) == ("anthropic-corp", ("k",))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_option_is_in_the_help_and_in_the_example(row):
    text = help_text()
    assert f" {row.flag}" in text
    assert f"${row.option.variables[0]}" in text
    place = row.option.yaml[0].rpartition(".")[2] if row.option.yaml else row.option.variables[0]
    assert f"{place}:" in example()


@pytest.mark.parametrize(
    "words",
    [
        "$CODERAI_DEFAULT_TOKEN_LIFETIME or $CODER_DEFAULT_TOKEN_LIFETIME (default: 168h0m0s)",
        "--session-duration duration, $CODERAI_SESSION_DURATION or $CODER_SESSION_DURATION (default: 24h0m0s)",
        "(default: 10s)",
        "-l, --log-filter string-array",
        "--check",
        "--write-config",
        "-c, --config path",
        "CODER_AIBRIDGE_PROVIDER_<N>_TYPE",
    ],
)
def test_the_help_says(words):
    assert words in help_text()


def test_what_is_written_is_what_is_read():
    before = loaded(env=CHANGED)
    after = loaded(
        yaml=write_config(before),
        env={key: CHANGED[key] for key in ("CODERAI_DATABASE_URL", "CODER_AIBRIDGE_OPENAI_KEY")},
    )
    upstream = {"aibridge_proxy_upstream": before.settings.aibridge_proxy_upstream}
    assert after.settings.model_copy(update=upstream) == before.settings


def test_what_is_written_holds_no_secret():
    text = write_config(loaded(env=CHANGED | indexed("0_TYPE=anthropic", "0_KEY=canary")))
    assert "canary" not in text
    assert "#   anthropic: provider 0 (CODER_AIBRIDGE_PROVIDER_0_*)" in text
    assert "upstream_proxy: set, not shown because it holds a password" in text


def test_providers_of_the_file_are_written_as_they_were():
    text = "aibridge: {providers: [{type: openai, name: a, key_env: K}, {type: anthropic, base_url: 'https://p/x'}]}"
    before = loaded(yaml=text, env={"K": "canary"})
    written = write_config(before)
    after = loaded(yaml=written, env={"K": "canary"})
    assert after.settings == before.settings
    assert "canary" not in written
    assert len(yaml.safe_load(written)["aibridge"]["providers"]) == 2


def test_each_key_is_preceded_by_description_type_and_default():
    text = write_config(loaded("--aibridge-retention=90d"))
    comment = "  # How long the records of exchanges are kept; 0 keeps them for ever. (duration, default: 60d)\n"
    assert f"{comment}  retention: 90d\n" in text
