"""GitHub Copilot: the languages of OpenAI and Anthropic on one host, paid for by the seat of the person who asks."""

from typing import Final

from coderai.providers.family import Auth, Family
from coderai.records import Api

COPILOT: Final = Family(
    name="copilot",
    prefix="",
    recorded={"/chat/completions": Api.CHAT, "/responses": Api.RESPONSES, "/v1/messages": Api.MESSAGES},
    passed=("/_ping", "/models", "/models/*", "/agents/*", "/mcp/*", "/.well-known/*", "/v1/messages/count_tokens"),
    auth=Auth("Authorization", "Bearer "),
    own_credential_only=True,
)
