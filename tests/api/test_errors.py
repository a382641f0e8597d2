"""Every error of ours has its status and its body."""

import json
import logging

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from coderai.api.errors import fault, http_refusal, refusal
from coderai.errors import (
    CoderaiError,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    NotSignedIn,
    StoreUnavailable,
    TooLarge,
)


def body(response: web.Response) -> object:
    assert isinstance(response.body, bytes)
    return json.loads(response.body)


@pytest.mark.parametrize(
    ("error", "status", "document"),
    [
        (
            Invalid("bad", [("a", "must be b")], detail="more"),
            400,
            {"message": "bad", "detail": "more", "validations": [{"field": "a", "detail": "must be b"}]},
        ),
        (Invalid("bad"), 400, {"message": "bad"}),
        (
            NotSignedIn("expired"),
            401,
            {"message": "You are signed out or your token does not work any more.", "detail": "expired"},
        ),
        (Forbidden("no"), 403, {"message": "You are not allowed to do this.", "detail": "no"}),
        (NotFound("user", "x"), 404, {"message": "There is no such thing, or you may not see it."}),
        (
            Conflict("taken", [("name", "is taken")]),
            409,
            {"message": "taken", "validations": [{"field": "name", "detail": "is taken"}]},
        ),
        (TooLarge("too large"), 413, {"message": "too large"}),
        (
            StoreUnavailable("locked"),
            503,
            {"message": "The database is not available; try again.", "detail": "locked"},
        ),
        (CoderaiError("odd"), 500, {"message": "odd"}),
    ],
)
def test_an_error_becomes_an_answer(error: CoderaiError, status: int, document: object) -> None:
    response = refusal(error)
    assert (response.status, body(response)) == (status, document)


def test_no_text_breaks_a_header() -> None:
    header = refusal(NotSignedIn('a "quoted"\r\nname\\ü')).headers["WWW-Authenticate"]
    assert header == 'Bearer realm="coder", error="invalid_token", error_description="a \'quoted\'??name/?"'


def test_what_aiohttp_refuses_is_json_too() -> None:
    response = http_refusal(web.HTTPMethodNotAllowed("PUT", ["GET"]))
    assert (response.status, response.headers["Allow"]) == (405, "GET")
    assert body(response) == {"message": "This method is not allowed here."}


def test_a_fault_is_logged_and_not_told(caplog: pytest.LogCaptureFixture) -> None:
    request = make_mocked_request("GET", "/x")
    with caplog.at_level(logging.ERROR):
        try:
            raise RuntimeError("SELECT secret")
        except RuntimeError:
            response = fault(request, "0190-r")
    assert (response.status, "SELECT" in str(body(response))) == (500, False)
    assert "SELECT secret" in caplog.text


def test_a_refusal_is_shown_in_no_page_and_kept_by_no_browser() -> None:
    for response in (refusal(NotSignedIn("expired")), http_refusal(web.HTTPNotFound())):
        assert (response.headers["X-Frame-Options"], response.headers["Cache-Control"]) == ("DENY", "no-store")
