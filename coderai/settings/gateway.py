"""The options of the gateway."""

import re
from datetime import timedelta
from typing import Annotated, Final

from pydantic import AfterValidator, SecretStr

from coderai.settings.forms import (
    Between,
    Bool,
    Count,
    Duration,
    Int,
    OneOf,
    PositiveDuration,
    Secret,
    Text,
    Url,
)
from coderai.settings.options import LATER, Option, Part, gateway

_NOTHING: Final = SecretStr("")

_HEADERS_OF_OTHERS: Final = frozenset(
    {
        *("accept-encoding", "connection", "content-encoding", "content-length", "content-type", "expect", "host"),
        *("keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "proxy-connection", "proxy-authenticate"),
        *("authorization", "proxy-authorization", "x-api-key", "api-key", "cookie", "set-cookie"),
        *("forwarded", "via", "x-real-ip"),
    }
)
_PREFIXES_OF_OTHERS: Final = ("x-forwarded-", "x-coder-", "x-ai-bridge-actor")


def _check_header_name(name: str) -> str:
    lowered = name.lower()
    if name and not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name):
        raise ValueError("this is no name of an HTTP header")
    if lowered in _HEADERS_OF_OTHERS or lowered.startswith(_PREFIXES_OF_OTHERS):
        raise ValueError("this header has another meaning; choose another name")
    return name


HeaderName = Annotated[Text, AfterValidator(_check_header_name)]
Percent = Annotated[Int, AfterValidator(Between(1, 100))]
Positive = Annotated[Int, AfterValidator(Between(1))]
Directory = Text


class GatewayOptions(Part):
    """The data plane: every flag starts with ``--aibridge-``, or with its newer form ``--ai-gateway-``."""

    aibridge_enabled: Annotated[Bool, gateway("enabled", "Run the gateway.")] = False
    aibridge_openai_base_url: Annotated[
        Url, gateway("openai_base_url", "Base URL of the single OpenAI provider (older form, see providers).")
    ] = "https://api.openai.com/v1/"
    aibridge_openai_key: Annotated[
        Secret, gateway("openai_key", "Key of the single OpenAI provider; makes it exist.", yaml=None)
    ] = _NOTHING
    aibridge_anthropic_base_url: Annotated[
        Url, gateway("anthropic_base_url", "Base URL of the single Anthropic provider (older form, see providers).")
    ] = "https://api.anthropic.com/"
    aibridge_anthropic_key: Annotated[
        Secret, gateway("anthropic_key", "Key of the single Anthropic provider; makes it exist.", yaml=None)
    ] = _NOTHING
    aibridge_bedrock_base_url: Annotated[
        Url,
        gateway("bedrock_base_url", "Exact Bedrock endpoint of the single Anthropic provider; wins over the region."),
    ] = ""
    aibridge_bedrock_region: Annotated[
        Text, gateway("bedrock_region", "AWS region of the single Anthropic provider; selects Amazon Bedrock.")
    ] = ""
    aibridge_bedrock_access_key: Annotated[
        Secret, gateway("bedrock_access_key", "AWS access key; none: the AWS credential chain.", yaml=None)
    ] = _NOTHING
    aibridge_bedrock_access_key_secret: Annotated[
        Secret, gateway("bedrock_access_key_secret", "Secret of the AWS access key.", yaml=None)
    ] = _NOTHING
    aibridge_bedrock_model: Annotated[Text, gateway("bedrock_model", "Model that Bedrock is asked for.")] = (
        "global.anthropic.claude-sonnet-4-5-20250929-v1:0"
    )
    aibridge_bedrock_small_fast_model: Annotated[
        Text,
        gateway(
            "bedrock_small_fast_model",
            "Model that Bedrock is asked for in background (haiku class) requests.",
            more_flags=("bedrock-small-fastmodel",),
        ),
    ] = "global.anthropic.claude-haiku-4-5-20251001-v1:0"
    aibridge_inject_coder_mcp_tools: Annotated[
        Bool,
        gateway(
            "inject_coder_mcp_tools",
            "Deprecated, has no effect.",
            note="no effect: tools are never injected",
            rare=True,
        ),
    ] = False
    aibridge_retention: Annotated[
        Duration, gateway("retention", "How long the records of exchanges are kept; 0 keeps them for ever.")
    ] = timedelta(days=60)
    aibridge_max_concurrency: Annotated[
        Count, gateway("max_concurrency", "Exchanges at the same time, per process; 0 = no limit.")
    ] = 0
    aibridge_rate_limit: Annotated[Count, gateway("rate_limit", "Requests per second and token; 0 = no limit.")] = 0
    aibridge_structured_logging: Annotated[
        Bool, gateway("structured_logging", "Write one log line per record (the lines hold prompts).")
    ] = False
    aibridge_send_actor_headers: Annotated[
        Bool, gateway("send_actor_headers", "Tell the provider who asks, by X-AI-Bridge-Actor-* headers.")
    ] = False
    aibridge_actor_header_id: Annotated[
        HeaderName, gateway("actor_header_id", "Header that tells the provider the user's id; empty: none.")
    ] = ""
    aibridge_actor_header_username: Annotated[
        HeaderName,
        gateway("actor_header_username", "Header that tells the provider the user's name; empty: none."),
    ] = ""
    aibridge_allow_byok: Annotated[Bool, gateway("allow_byok", "Let users bring their own provider credentials.")] = (
        True
    )
    aibridge_circuit_breaker_enabled: Annotated[
        Bool, gateway("circuit_breaker_enabled", "Stop calling an overloaded provider for a while.")
    ] = False
    aibridge_circuit_breaker_failure_threshold: Annotated[
        Percent,
        gateway("circuit_breaker_failure_threshold", "Failures in a row that open the breaker.", rare=True),
    ] = 5
    aibridge_circuit_breaker_interval: Annotated[
        Duration,
        gateway("circuit_breaker_interval", "How often a closed breaker forgets its failures.", rare=True),
    ] = timedelta(seconds=10)
    aibridge_circuit_breaker_timeout: Annotated[
        PositiveDuration,
        gateway("circuit_breaker_timeout", "How long a breaker stays open before it is probed.", rare=True),
    ] = timedelta(seconds=30)
    aibridge_circuit_breaker_max_requests: Annotated[
        Percent, gateway("circuit_breaker_max_requests", "Probes of a half-open breaker.", rare=True)
    ] = 3
    aibridge_dump_dir: Annotated[
        Directory,
        gateway("dump_dir", "Directory for dumps of requests and answers; empty: off.", yaml="api_dump_dir"),
    ] = ""
    ai_budget_policy: Annotated[
        Text,
        AfterValidator(OneOf(("highest",))),
        Option(
            "gateway",
            "Which budget counts for a user who has several.",
            ("ai-budget-policy",),
            ("CODER_AI_BUDGET_POLICY",),
            ("aibridge.budget_policy", "ai_gateway.budget_policy"),
            note=LATER,
            twins=True,
        ),
    ] = "highest"
    ai_budget_period: Annotated[
        Text,
        AfterValidator(OneOf(("month",))),
        Option(
            "gateway",
            "The period of a budget, in UTC.",
            ("ai-budget-period",),
            ("CODER_AI_BUDGET_PERIOD",),
            ("aibridge.budget_period", "ai_gateway.budget_period"),
            note=LATER,
            twins=True,
        ),
    ] = "month"
    aibridge_max_retries: Annotated[
        Count, gateway("max_retries", "How often a failed call to a provider is tried again.")
    ] = 2
    aibridge_max_request_bytes: Annotated[
        Positive, gateway("max_request_bytes", "Largest request body that is accepted, in bytes.")
    ] = 32 * 1024 * 1024
    aibridge_members_can_read_own_sessions: Annotated[
        Bool, gateway("members_can_read_own_sessions", "Everybody may read the records of their own sessions.")
    ] = True
    aibridge_upstream_timeout: Annotated[
        PositiveDuration, gateway("upstream_timeout", "How long a provider may be silent.")
    ] = timedelta(minutes=10)
    aibridge_keep_alive_interval: Annotated[
        Duration,
        gateway("keep_alive_interval", "Silence after which a stream's client gets a comment; 0 = never.", rare=True),
    ] = timedelta(seconds=10)
    aibridge_drain_timeout: Annotated[
        Duration,
        gateway("drain_timeout", "How long a provider is read on after its client left, for the usage.", rare=True),
    ] = timedelta(seconds=30)
