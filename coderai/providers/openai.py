"""OpenAI and everything that speaks its language. Base URLs contain the ``/v1``."""

from typing import Final

from coderai.providers.family import Auth, Family
from coderai.records import Api

OPENAI: Final = Family(
    name="openai",
    prefix="/v1",
    recorded={"/chat/completions": Api.CHAT, "/responses": Api.RESPONSES},
    passed=("/conversations", "/conversations/*", "/models", "/models/*", "/responses/*"),
    auth=Auth("Authorization", "Bearer "),
    other_prefixes={"": ""},  # a base URL without the /v1
)
