"""What the tests of Amazon Bedrock share: an account, a configuration, an answer."""

from collections.abc import Callable
from functools import partial

from coderai.demo.answers import Tokens, Tool
from coderai.demo.answers_messages import messages_answer
from coderai.demo.bedrock import Account, bedrock
from coderai.demo.provider import Reply, Seen
from coderai.settings.provider import BedrockConfig, ProviderConfig

KEY_ID = "AKIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
ACCOUNT = Account({KEY_ID: SECRET}, region="eu-west-1")
MODEL = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"
SMALL = "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.anthropic.claude-haiku-4-5-20251001-v1:0"
STATIC = BedrockConfig("eu-west-1", "", (KEY_ID,), (SECRET,), MODEL, SMALL)
MANTLE = BedrockConfig("eu-west-1", "", (KEY_ID,), (SECRET,), protocol="mantle")
TOOLS = [{"name": "read_file", "input_schema": {"type": "object"}}]
ANSWER = partial(
    messages_answer,
    text="Reading.",
    thinking="Where is it?",
    tools=[Tool("read_file", {"path": "a.py"}, id="toolu_1")],
    usage=Tokens(input=10, output=5, cache_read=3),
    id="msg_bdrk_1",
)
ASK = {"model": "claude-opus-4-6", "max_tokens": 9000, "messages": [{"role": "user", "content": "read a.py"}]}


def amazon(config: BedrockConfig = STATIC, kind: str = "bedrock") -> Callable[[str], list[ProviderConfig]]:
    """Return the configuration of one provider "aws" at the scripted Amazon."""
    return lambda url: [ProviderConfig(kind, "aws", url, bedrock=config)]


def answering(*_: object, reply: Callable[[], Reply] = ANSWER) -> Callable[[Seen], Reply]:
    return bedrock(lambda seen: reply(), ACCOUNT)
