"""The scripted provider of the drill: answers in pieces, so that every fault finds some in their middle."""

import re
from collections.abc import Iterator

from coderai.demo.answers import Tokens, Tool, error_answer
from coderai.demo.answers_chat import chat_answer
from coderai.demo.answers_messages import messages_answer
from coderai.demo.answers_responses import responses_answer
from coderai.demo.provider import BreakOff, Pause, Reply, ScriptedProvider, Seen
from coderai.demo.script import Step
from coderai.records import Api

OUTPUT = 20
"""Tokens of every answer."""
USAGE = Tokens(input=100, output=OUTPUT, cache_read=30)
MARK = re.compile(rb"drill-[a-z]+-[0-9a-f-]+")
BROKEN = b"drill-broken-"
_PAUSE = 0.002
"""Between some events of a stream: an answer takes about 15 ms."""


class Agent:
    """Says the same to everybody, in the language of the request; to those with a revoked key, that it is revoked."""

    def __init__(self) -> None:
        self.asked: set[str] = set()
        """Prompts that have come."""
        self.revoked: set[str] = set()
        """Keys that are refused with 401."""
        self.scripted = ScriptedProvider(self._answer)
        self.url = ""

    def _answer(self, seen: Seen) -> Reply:
        del self.scripted.seen[:-100], self.scripted.sockets[:-100], self.scripted.attempts[:-100]
        api = _api(seen.path)
        if _key(seen) in self.revoked:
            return error_answer(api, 401, "this key was revoked")
        found = MARK.search(seen.body)
        if found is not None:
            self.asked.add(found[0].decode())
        reply = _words(api)
        if BROKEN in seen.body:
            return reply.cut(len(reply.chunks) // 2, BreakOff())
        return Reply(chunks=[*_slowly(reply)], content_type=reply.content_type, whole=reply.whole)


def _api(path: str) -> Api:
    if "/messages" in path:
        return Api.MESSAGES
    return Api.CHAT if "/chat/" in path else Api.RESPONSES


def _key(seen: Seen) -> str:
    return seen.headers.get("X-Api-Key") or seen.headers.get("Authorization", "").removeprefix("Bearer ")


def _words(api: Api) -> Reply:
    text, thought, tools = "The test is green now.", "Which test was it?", [Tool("read_file", {"path": "a.py"})]
    if api is Api.MESSAGES:
        return messages_answer(text=text, thinking=thought, tools=tools, usage=USAGE)
    if api is Api.CHAT:
        return chat_answer(text=text, reasoning=thought, tools=tools, usage=USAGE)
    return responses_answer(text=text, reasoning=thought, tools=tools, usage=USAGE)


def _slowly(reply: Reply) -> Iterator[Step]:
    for number, step in enumerate(reply.chunks):
        if number % 3 == 2:
            yield Pause(_PAUSE)
        yield step
