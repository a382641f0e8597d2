"""The made-up answers are what the official SDKs understand, and what was put in comes out."""

import anthropic
import openai
import pytest

from coderai.demo.answers import Tokens, Tool, error_answer
from coderai.demo.answers_chat import chat_answer
from coderai.demo.answers_messages import messages_answer
from coderai.demo.answers_responses import responses_answer
from coderai.demo.provider import ScriptedProvider
from coderai.records import Api

READ = Tool("read_file", {"path": "größe.py", "lines": [1, 2]}, id="call_1")
LIST = Tool("list_files", {}, id="call_2")
TOKENS = Tokens(input=100, output=20, cache_read=30, cache_write=5, reasoning=7)


@pytest.mark.parametrize("streamed", [True, False])
async def test_messages(streamed):
    reply = messages_answer(text="Here it is, all of it.", thinking="Let me think.", tools=[READ, LIST], usage=TOKENS)
    async with (
        ScriptedProvider([reply]).serving() as url,
        anthropic.AsyncAnthropic(base_url=url, api_key="k", max_retries=0) as client,
    ):
        ask = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
        if streamed:
            async with client.messages.stream(**ask) as stream:
                message = await stream.get_final_message()
        else:
            message = await client.messages.create(**ask)
    thinking, text, read, listed = message.content
    assert (thinking.thinking, text.text) == ("Let me think.", "Here it is, all of it.")
    assert (read.id, read.name, read.input) == ("call_1", "read_file", READ.input)
    assert listed.input == {}
    usage = message.usage
    assert (usage.input_tokens, usage.output_tokens) == (100, 20)
    assert (usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (30, 5)
    assert message.stop_reason == "tool_use"


@pytest.mark.parametrize("streamed", [True, False])
async def test_chat(streamed):
    reply = chat_answer(text="Here it is, all of it.", tools=[READ, LIST], usage=TOKENS)
    async with (
        ScriptedProvider([reply]).serving() as url,
        openai.AsyncOpenAI(base_url=url + "/v1", api_key="k", max_retries=0) as client,
    ):
        ask = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
        if streamed:
            async with client.chat.completions.stream(**ask, stream_options={"include_usage": True}) as stream:
                completion = await stream.get_final_completion()
        else:
            completion = await client.chat.completions.create(**ask)
    message = completion.choices[0].message
    assert message.content == "Here it is, all of it."
    assert [(call.id, call.function.arguments) for call in message.tool_calls] == [
        ("call_1", READ.arguments),
        ("call_2", "{}"),
    ]
    assert completion.usage.prompt_tokens == 130
    assert completion.usage.prompt_tokens_details.cached_tokens == 30
    assert completion.choices[0].finish_reason == "tool_calls"


@pytest.mark.parametrize("streamed", [True, False])
async def test_responses(streamed):
    patch = Tool("apply_patch", "*** Begin Patch\n*** End Patch", id="call_3")
    reply = responses_answer(
        text="Done.", reasoning="First look.", commentary="Working.", tools=[READ, patch], usage=TOKENS
    )
    async with (
        ScriptedProvider([reply]).serving() as url,
        openai.AsyncOpenAI(base_url=url + "/v1", api_key="k", max_retries=0) as client,
    ):
        if streamed:
            async with client.responses.stream(model="m", input="hi") as stream:
                response = await stream.get_final_response()
        else:
            response = await client.responses.create(model="m", input="hi")
    reasoning, commentary, read, patched, final = response.output
    assert reasoning.summary[0].text == "First look."
    assert commentary.content[0].text == "Working."
    assert (read.call_id, read.arguments) == ("call_1", READ.arguments)
    assert (patched.call_id, patched.input) == ("call_3", "*** Begin Patch\n*** End Patch")
    assert final.content[0].text == "Done."
    assert response.usage.input_tokens == 130
    assert response.usage.output_tokens_details.reasoning_tokens == 7


async def test_an_incomplete_response():
    async with (
        ScriptedProvider([responses_answer(text="Half", status="incomplete")]).serving() as url,
        openai.AsyncOpenAI(base_url=url + "/v1", api_key="k", max_retries=0) as client,
    ):
        events = [event.type async for event in await client.responses.create(model="m", input="hi", stream=True)]
    assert events[-1] == "response.incomplete"


async def test_errors_are_understood():
    script = [error_answer(Api.MESSAGES, 529, "Overloaded"), error_answer(Api.CHAT, 429, "Slow down")]
    async with ScriptedProvider(script).serving() as url:
        async with anthropic.AsyncAnthropic(base_url=url, api_key="k", max_retries=0) as client:
            with pytest.raises(anthropic.APIStatusError, match="Overloaded"):
                await client.messages.create(model="m", max_tokens=9, messages=[{"role": "user", "content": "hi"}])
        async with openai.AsyncOpenAI(base_url=url + "/v1", api_key="k", max_retries=0) as client:
            with pytest.raises(openai.RateLimitError, match="Slow down"):
                await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])


def test_unset_ids_are_never_the_same():
    assert messages_answer(text="a").body != messages_answer(text="a").body
