"""The scripted Amazon is strict: it judges by Amazon's own example and notices every change."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from multidict import CIMultiDict

from coderai.demo.bedrock import Account
from coderai.demo.provider import Seen
from coderai.providers.bedrock_credentials import AccessKey
from coderai.providers.bedrock_signing import signed
from coderai.providers.dialect import Outgoing

KEY = AccessKey("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "session-token")
ACCOUNT = Account({KEY.id: KEY.secret}, {KEY.id: "session-token"}, "eu-west-1")
PATH = "/model/arn%3Aaws%3Abedrock%3Aeu-west-1%3A1%3Ap%2Feu.anthropic.claude-v1%3A0/invoke"


def request(**changes: object) -> Seen:
    """Return a request as it arrives that was signed by what signs for Bedrock, and changed afterwards."""
    headers = [(b"Content-Type", b"application/json"), (b"x-amz-date", b"forged"), (b"X-Amzn-Bedrock-Trace", b"  A  b")]
    sent = signed(Outgoing("POST", f"http://h:8080{PATH}?b=%20&a=1", headers, b"{}"), KEY, "bedrock", "eu-west-1")
    arrived = CIMultiDict((name.decode(), value.decode()) for name, value in sent.headers)
    arrived["Host"] = "h:8080"
    seen = Seen("POST", f"{PATH}?b=%20&a=1", arrived, sent.body)
    changed = changes.pop("headers", {})
    assert isinstance(changed, dict)
    arrived.update(changed)
    return replace(seen, **changes)  # type: ignore[arg-type]


def test_amazons_own_example():
    """ "get-vanilla" of Amazon's published test suite for signatures."""
    authorization = (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        "SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
    )
    headers = {"Host": "example.amazonaws.com", "X-Amz-Date": "20150830T123600Z", "Authorization": authorization}
    seen = Seen("GET", "/", CIMultiDict(headers), b"")
    account = Account(
        {KEY.id: KEY.secret}, {}, "us-east-1", "service", lambda: datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
    )
    assert account.trouble(seen) == ""
    assert Account({KEY.id: KEY.secret}, {}, "us-east-1", "service").trouble(seen).endswith("which is not now")
    wrong = replace(account, secrets={KEY.id: "another"})
    assert wrong.trouble(seen) == "the signature does not match"


def test_what_we_sign_is_good():
    assert ACCOUNT.trouble(request()) == ""


@pytest.mark.parametrize(
    ("changes", "trouble"),
    [
        ({"body": b"{ }"}, "does not match"),
        ({"path": PATH.replace("%3A", ":") + "?b=%20&a=1"}, "does not match"),
        ({"path": PATH + "?b=%20&a=2"}, "does not match"),
        ({"method": "PUT"}, "does not match"),
        ({"headers": {"Host": "other:8080"}}, "does not match"),
        ({"headers": {"X-Amzn-Bedrock-Trace": "other"}}, "does not match"),
        ({"headers": {"X-Amz-Security-Token": "other"}}, "session token"),
        ({"headers": {"X-Amz-Meta": "a"}}, "not signed"),
        ({"headers": {"Authorization": "Bearer x"}}, "no signature"),
    ],
)
def test_any_change_is_noticed(changes, trouble):
    assert trouble in ACCOUNT.trouble(request(**changes))


@pytest.mark.parametrize(
    ("account", "trouble"),
    [
        (replace(ACCOUNT, service="bedrock-mantle"), "for something else"),
        (replace(ACCOUNT, region="us-east-1"), "for something else"),
        (replace(ACCOUNT, secrets={}), "is not known"),
        (replace(ACCOUNT, tokens={}), "session token"),
    ],
)
def test_a_signature_for_somebody_else_is_none(account, trouble):
    assert trouble in account.trouble(request())


def test_headers_that_proxies_change_are_not_signed():
    names = request().headers["Authorization"].partition("SignedHeaders=")[2].partition(",")[0]
    assert names == "host;x-amz-content-sha256;x-amz-date;x-amz-security-token;x-amzn-bedrock-trace"
