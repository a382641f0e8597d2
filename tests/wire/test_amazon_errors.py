import json

import pytest

from coderai.wire.amazon_errors import COLLECTED_BYTES, ErrorBody
from coderai.wire.messages import read_error


def translated(status, body, headers=None, size=7):
    decoder = ErrorBody(status, headers or {})
    out = [decoder.feed(body[at : at + size]) for at in range(0, len(body), size)]
    return b"".join([*out, decoder.end()])


@pytest.mark.parametrize(
    ("status", "exception", "kind"),
    [
        (429, "ThrottlingException", "rate_limit_error"),
        (503, "ServiceUnavailableException:http://internal.amazon.com/coral/", "overloaded_error"),
        (400, "ValidationException", "invalid_request_error"),
        (403, "AccessDeniedException", "permission_error"),
        (403, "com.amazon.coral.service#ExpiredTokenException", "authentication_error"),
        (404, "ResourceNotFoundException", "not_found_error"),
        (408, "ModelTimeoutException", "timeout_error"),
        (424, "ModelErrorException", "api_error"),
        (429, "ModelNotReadyException", "overloaded_error"),
        (500, "InternalServerException", "api_error"),
        (418, "TeapotException", "invalid_request_error"),
        (529, "", "overloaded_error"),
    ],
)
def test_an_error_gets_the_form_of_messages_and_keeps_its_words(status, exception, kind):
    headers = {"x-amzn-ErrorType": exception, "x-amzn-RequestId": "6d0b"}
    said = json.loads(translated(status, '{"message":"Zu viele Zeichen: ü"}'.encode(), headers))
    assert said == {"type": "error", "error": {"type": kind, "message": "Zu viele Zeichen: ü"}, "request_id": "6d0b"}


@pytest.mark.parametrize(
    ("body", "kind", "text"),
    [
        (b'{"__type":"com.amazon#ThrottlingException","Message":"slower"}', "rate_limit_error", "slower"),
        (b"<html>Bad Gateway</html>", "api_error", "<html>Bad Gateway</html>"),
        (b"", "api_error", "the provider failed"),
        (b"[1]", "api_error", "the provider failed"),
    ],
)
def test_errors_without_a_header(body, kind, text):
    assert json.loads(translated(502, body))["error"] == {"type": kind, "message": text}


def test_an_error_in_the_form_of_messages_keeps_its_bytes():
    body = b'{ "type" : "error", "error" : {"type":"overloaded_error","message":"Overloaded"} }'
    assert translated(529, body, {"x-amzn-RequestId": "6d0b"}) == body


def test_what_was_signed_is_not_repeated():
    text = "The request signature we calculated does not match.\nThe Canonical String ... x-amz-security-token:canary"
    body = json.dumps({"message": text}).encode()
    out = translated(403, body, {"x-amzn-ErrorType": "InvalidSignatureException"})
    assert b"canary" not in out
    assert read_error(403, out)[1] == "The request signature we calculated does not match."


def test_a_body_that_is_far_too_long_is_passed_on():
    body = b"x" * (COLLECTED_BYTES + 10)
    assert translated(500, body, size=100_000) == body
