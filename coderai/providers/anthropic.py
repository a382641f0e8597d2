"""Anthropic. Base URLs do not contain the ``/v1``."""

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
