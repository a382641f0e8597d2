"""Anthropic. Base URLs do not contain the ``/v1``."""

from dataclasses import replace
from typing import Final

from coderai.providers.family import Auth, Family
from coderai.records import Api

ANTHROPIC: Final = Family(
    name="anthropic",
    prefix="",
    recorded={"/v1/messages": Api.MESSAGES},
    passed=("/v1/models", "/v1/models/*", "/v1/messages/count_tokens", "/api/event_logging/*"),
    auth=Auth("X-Api-Key"),
    headers={"anthropic-version": "2023-06-01"},
    other_prefixes={"": "/v1"},  # tools that want the /v1 in the base URL, and were given one without
)

BEDROCK: Final = replace(
    ANTHROPIC,
    passed=(),
    remark="Amazon Bedrock has only /v1/messages, neither model lists nor token counts",
)
"""The same words, put into Amazon's by ``bedrock.py``."""
