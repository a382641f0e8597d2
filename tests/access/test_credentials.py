"""Where tokens are found, and how credentials are shown."""

import pytest
from multidict import CIMultiDict

from coderai.access.credentials import data_plane_token, management_token, mask


@pytest.mark.parametrize(
    ("secret", "shown"),
    [
        ("", ""),
        ("abcd", "..."),
        ("abcde", "a...e"),
        ("0123456789", "01...89"),
        ("01234567890123456789", "0123...6789"),
        ("sk-ant-api03-abcdefghijkl", "sk-a...ijkl"),
        ("é" * 5, "é...é"),
    ],
)
def test_mask(secret: str, shown: str) -> None:
    assert mask(secret) == shown


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({}, ("", False)),
        ({"authorization": "Bearer t"}, ("t", False)),
        ({"Authorization": "bEARER  t "}, ("t", False)),
        ({"Authorization": "Basic t", "X-Api-Key": "k"}, ("k", False)),
        ({"Authorization": "Bearer a b", "X-Api-Key": "k"}, ("k", False)),
        ({"Authorization": "Bearer", "x-api-key": " k "}, ("k", False)),
        ({"Authorization": "Bearer t", "X-Api-Key": "k"}, ("t", False)),
        ({"x-coder-ai-governance-token": " g ", "Authorization": "Bearer own"}, ("g", True)),
        ({"X-Coder-AI-Governance-Token": " ", "Authorization": "Bearer t"}, ("t", False)),
        ({"Coder-Session-Token": "t", "Cookie": "coder_session_token=t"}, ("", False)),
    ],
)
def test_the_token_of_a_model_call(headers: dict[str, str], found: tuple[str, bool]) -> None:
    assert data_plane_token(CIMultiDict(headers)) == found


PLACES = ("cookie", "query", "header", "bearer", "access")


@pytest.mark.parametrize("first", range(len(PLACES)))
def test_the_token_of_a_management_request_is_the_first_one_found(first: int) -> None:
    given = PLACES[first:]
    cookies = {"coder_session_token": "cookie"} if "cookie" in given else {}
    query = {"access_token": "access"} | ({"coder_session_token": "query"} if "query" in given else {})
    headers = {"Coder-Session-Token": "header"} if "header" in given else {}
    headers |= {"Authorization": "Bearer bearer"} if "bearer" in given else {}
    assert management_token(CIMultiDict(headers), cookies, query) == PLACES[first]


def test_no_token_at_all() -> None:
    assert management_token(CIMultiDict(), {}, {}) == ""
