"""What a model said, read from a whole answer."""

import pytest

from coderai.models.replies import complaint, said
from coderai.records import Api


@pytest.mark.parametrize(
    ("api", "body", "text"),
    [
        (Api.MESSAGES, b'{"content":[{"type":"thinking","thinking":"x"},{"type":"text","text":"pong"}]}', "pong"),
        (Api.CHAT, b'{"choices":[{"message":{"content":"pong"}}]}', "pong"),
        (Api.CHAT, b'{"choices":[{"message":{"content":null}}]}', ""),
        (
            Api.RESPONSES,
            b'{"output":[{"type":"reasoning"},{"type":"message","content":[{"type":"output_text","text":"pong"}]}]}',
            "pong",
        ),
        (Api.CHAT, b'{"choices":[]}', None),
        (Api.MESSAGES, b"<html>", None),
        (Api.RESPONSES, b"[]", None),
    ],
)
def test_the_text_of_an_answer(api, body, text):
    assert said(api, body) == text


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"type":"error","error":{"type":"x","message":"no such model"}}', "no such model"),
        (b'{"error":"no"}', "no"),
        (b'{"message":"slow down"}', "slow down"),
        (b"Bad gateway\n", "Bad gateway"),
        (b"[]", ""),
        (b'{"error":{}}', ""),
    ],
)
def test_the_message_of_an_error(body, text):
    assert complaint(body) == text
