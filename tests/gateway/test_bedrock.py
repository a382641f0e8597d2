"""Amazon Bedrock through the data plane, before a scripted Amazon that checks every signature."""

import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anthropic
import pytest

from coderai.demo.bedrock import (
    Account,
    Issued,
    bedrock,
    mantle,
    model_of,
    refusal,
    security_tokens,
)
from coderai.demo.provider import Reply, ScriptedProvider, Seen
from coderai.providers.retries import Retries
from coderai.records import Ending, ErrorType, ToolCall, Usage
from coderai.settings.provider import BedrockConfig
from tests.gateway.amazon import ANSWER, ASK, KEY_ID, MANTLE, MODEL, SECRET, SMALL, STATIC, TOOLS, amazon, answering
from tests.gateway.conftest import TOKEN, Opening, Setting


def sdk(setting: Setting, **options: object) -> anthropic.AsyncAnthropic:
    return anthropic.AsyncAnthropic(base_url=setting.url + "/aws", auth_token=TOKEN, max_retries=0, **options)


@pytest.mark.parametrize("kind", ["bedrock", "anthropic"])
@pytest.mark.parametrize("stream", [False, True], ids=["blocking", "streaming"])
@pytest.mark.parametrize(("asked", "called"), [("claude-opus-4-6", MODEL), ("claude-haiku-4-5", SMALL), (SMALL, SMALL)])
async def test_the_sdk_gets_the_answer_and_the_record_has_everything(
    opened: Opening, kind: str, stream: bool, asked: str, called: str
):
    async with opened(answering(), configured=amazon(kind=kind)) as setting, sdk(setting) as client:
        question = {**ASK, "model": asked, "tools": TOOLS, "thinking": {"type": "adaptive"}}
        betas = ["claude-code-20250219", "interleaved-thinking-2025-05-14"]
        headers = {"anthropic-beta": ",".join(betas), "user-agent": "claude-cli/2.1"}
        if stream:
            async with client.messages.stream(**question, extra_headers=headers) as streaming:
                answer = await streaming.get_final_message()
        else:
            answer = await client.messages.create(**question, extra_headers=headers)
        seen = await setting.provider.request()
    assert (answer.id, [block.type for block in answer.content]) == ("msg_bdrk_1", ["thinking", "text", "tool_use"])
    assert answer.content[2].input == {"path": "a.py"}
    assert model_of(seen) == called
    assert seen.json == {
        "max_tokens": 9000,
        "messages": ASK["messages"],
        "tools": TOOLS,
        "thinking": {"type": "enabled", "budget_tokens": 7200},
        "anthropic_version": "bedrock-2023-05-31",
        "anthropic_beta": ["interleaved-thinking-2025-05-14"],
    }
    [begun] = setting.notebook.begun
    assert (begun.provider, begun.provider_name, begun.model, begun.prompt) == ("anthropic", "aws", called, "read a.py")
    assert (begun.client, begun.stream, begun.credential_kind) == ("Claude Code", stream, "centralized")
    end = setting.notebook.only_end
    assert (end.ending, end.http_status, end.credential_hint) == (Ending.COMPLETE, 200, "AKIA...MPLE")
    [usage] = [fact for fact in end.answer.facts if isinstance(fact, Usage)]
    [call] = [fact for fact in end.answer.facts if isinstance(fact, ToolCall)]
    assert (usage.response_id, usage.input, usage.output, usage.cache_read) == ("msg_bdrk_1", 10, 5, 3)
    assert (call.tool, call.call_id, json.loads(call.input)) == ("read_file", "toolu_1", {"path": "a.py"})


async def test_neither_token_nor_beta_header_nor_the_clients_amz_headers_go_to_amazon(opened: Opening):
    mine = {"X-Amz-Security-Token": "forged", "X-Amz-Date": "20200101T000000Z", "x-amz-meta-a": "b", "X-App": "cli"}
    async with opened(answering(), configured=amazon()) as setting:
        async with setting.post("/aws/v1/messages?beta=true", ASK, headers={**mine, "anthropic-beta": "x"}) as answer:
            assert answer.status == 200
        seen = await setting.provider.request()
    names = {name.lower() for name in seen.headers}
    assert names & {"x-api-key", "anthropic-beta", "x-amz-security-token", "x-amz-meta-a"} == set()
    assert seen.headers["X-App"] == "cli"
    assert seen.path.endswith("/invoke")
    assert TOKEN not in str(seen)


async def test_a_compressed_request_is_undone_for_amazon(opened: Opening):
    async with opened(answering(), configured=amazon()) as setting:
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Encoding": "gzip", "Content-Type": "application/json"}
        body = gzip.compress(json.dumps(ASK).encode())
        async with setting.client.post(setting.url + "/aws/v1/messages", data=body, headers=headers) as answer:
            assert answer.status == 200
        seen = await setting.provider.request()
    assert seen.json["messages"] == ASK["messages"]
    assert "Content-Encoding" not in seen.headers


@pytest.mark.parametrize("stream", [False, True], ids=["blocking", "streaming"])
async def test_mantle_gets_the_body_as_it_came(opened: Opening, stream: bool):
    account = Account({KEY_ID: SECRET}, region="eu-west-1", service="bedrock-mantle")
    whole = ANSWER(stream=stream)
    async with opened(mantle(lambda seen: whole, account), configured=amazon(MANTLE)) as setting:
        body = f'{{ "model":"claude-opus-4-8", "x":1.0, "stream":{str(stream).lower()}, "messages":[] }}'.encode()
        headers = {"Authorization": f"Bearer {TOKEN}", "anthropic-beta": "any-2030-01-01"}
        url = setting.url + "/aws/v1/messages?beta=true"
        async with setting.client.post(url, data=body, headers=headers) as answer:
            assert (answer.status, await answer.read()) == (200, whole.body)
        seen = await setting.provider.request()
    assert (seen.path, seen.body) == ("/v1/messages?beta=true", body)
    assert seen.headers["anthropic-beta"] == "any-2030-01-01"
    [begun] = setting.notebook.begun
    assert begun.model == "claude-opus-4-8"


# ---- credentials -----------------------------------------------------------------------------------------------------

ROLE = "arn:aws:iam::123456789012:role/bedrock"
ASSUMED = BedrockConfig("eu-west-1", "", (KEY_ID,), (SECRET,), MODEL, SMALL, ROLE, "team-7")


class TokenService:
    """Issues other credentials each time; Bedrock takes only the newest."""

    def __init__(self) -> None:
        self.issued: list[Issued] = []
        caller = Account({KEY_ID: SECRET}, region="eu-west-1", service="sts")
        wanted = {"RoleArn": ROLE, "ExternalId": "team-7"}
        self.provider = ScriptedProvider(security_tokens(caller, wanted, self.issue))

    def issue(self) -> Issued:
        number = len(self.issued) + 1
        until = datetime.now(UTC) + timedelta(hours=1)
        self.issued.append(Issued(f"ASIA{number:016}", f"secret-{number}", f"token-canary-{number}", until))
        return self.issued[-1]

    def bedrock(self, seen: Seen) -> Reply:
        newest = self.issued[-1]
        if "X-Amz-Security-Token" in seen.headers and seen.headers["X-Amz-Security-Token"] != newest.token:
            return refusal(403, "ExpiredTokenException", "The security token included in the request is expired")
        account = Account({newest.access_key: newest.secret}, {newest.access_key: newest.token}, "eu-west-1")
        return bedrock(lambda seen: ANSWER(), account)(seen)


async def test_an_assumed_role_signs_with_its_session_and_refused_sessions_are_replaced(
    opened: Opening, monkeypatch: pytest.MonkeyPatch
):
    service = TokenService()
    async with service.provider.serving() as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", url)
        async with opened(*[service.bedrock] * 4, configured=amazon(ASSUMED)) as setting:
            statuses = []
            for number in range(4):
                if number == 2:
                    service.issue()  # what the gateway holds is stale now
                async with setting.post("/aws/v1/messages", ASK) as answer:
                    statuses.append(answer.status)
                    assert "canary" not in await answer.text()
    assert statuses == [200, 200, 403, 200]
    hints = [end.credential_hint for _, end in setting.notebook.ended]
    assert hints == ["ASIA...0001", "ASIA...0001", "ASIA...0001", "ASIA...0003"]


async def test_each_try_is_signed(opened: Opening):
    busy = answering(reply=lambda: refusal(503, "ServiceUnavailableException", "later"))
    async with (
        opened(busy, busy, answering(), configured=amazon(), retries=Retries(2, first=0.0)) as setting,
        setting.post("/aws/v1/messages", ASK) as answer,
    ):
        assert (answer.status, (await answer.json())["id"]) == (200, "msg_bdrk_1")
    assert len(setting.provider.seen) == 3
    assert setting.notebook.endings == [Ending.COMPLETE]


async def test_without_any_credentials_nothing_is_called(
    opened: Opening, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    async with (
        opened(answering(), configured=amazon(BedrockConfig("eu-west-1"))) as setting,
        setting.post("/aws/v1/messages", ASK) as answer,
    ):
        said = await answer.json()
    assert (answer.status, said["error"]["type"]) == (502, "api_error")
    assert said["error"]["message"].startswith("aws: no AWS credentials found: set an access key")
    assert setting.provider.seen == []
    assert setting.notebook.endings == [Ending.UNREACHABLE]


# ---- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "name", "raised", "kind", "recorded"),
    [
        (400, "ValidationException", anthropic.BadRequestError, "invalid_request_error", ErrorType.BAD_REQUEST),
        (403, "AccessDeniedException", anthropic.PermissionDeniedError, "permission_error", ErrorType.UNAUTHORIZED),
        (404, "ResourceNotFoundException", anthropic.NotFoundError, "not_found_error", ErrorType.BAD_REQUEST),
        (429, "ThrottlingException", anthropic.RateLimitError, "rate_limit_error", ErrorType.RATE_LIMITED),
        (503, "ServiceUnavailableException", anthropic.InternalServerError, "overloaded_error", ErrorType.SERVER_ERROR),
    ],
)
@pytest.mark.parametrize("stream", [False, True], ids=["blocking", "streaming"])
async def test_errors_of_amazon_are_understood_by_the_sdk(
    opened: Opening,
    status: int,
    name: str,
    raised: type[anthropic.APIStatusError],
    kind: str,
    recorded: ErrorType,
    stream: bool,
):
    reply = refusal(status, name, "What Amazon said: ü")
    async with opened(answering(reply=lambda: reply), configured=amazon()) as setting, sdk(setting) as client:
        with pytest.raises(raised) as caught:
            await client.messages.create(**ASK, stream=stream)
    assert caught.value.status_code == status
    said = {"type": "error", "error": {"type": kind, "message": "What Amazon said: ü"}, "request_id": "6d0b3c5e-aws"}
    assert caught.value.body == said
    assert caught.value.response.headers["x-amzn-RequestId"] == "6d0b3c5e-aws"
    end = setting.notebook.only_end
    assert (end.ending, end.error_type, end.error_message) == (Ending.UPSTREAM_ERROR, recorded, "What Amazon said: ü")


async def test_a_wrong_secret_is_an_error_of_amazon(opened: Opening):
    wrong = BedrockConfig("eu-west-1", "", (KEY_ID,), ("wrong-secret",), MODEL, SMALL)
    async with (
        opened(answering(), configured=amazon(wrong)) as setting,
        setting.post("/aws/v1/messages", ASK) as answer,
    ):
        said = await answer.json()
        assert (answer.status, said["error"]["type"]) == (403, "authentication_error")
        assert said["error"]["message"] == "the signature does not match"


# ---- what is not there -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/aws/v1/messages/count_tokens"),
        ("GET", "/aws/v1/models"),
        ("GET", "/aws/v1/models/x"),
        ("POST", "/aws/api/event_logging/batch"),
        ("POST", "/aws/model/x/invoke"),
    ],
)
@pytest.mark.parametrize("config", [STATIC, MANTLE], ids=["invoke-model", "mantle"])
async def test_other_routes_are_404_and_say_that_bedrock_has_none(
    opened: Opening, config: BedrockConfig, method: str, path: str
):
    async with opened(configured=amazon(config)) as setting:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with setting.client.request(method, setting.url + path, headers=headers) as answer:
            said = await answer.json()
            assert (answer.status, answer.headers["x-should-retry"]) == (404, "false")
    assert said["type"] == "error"
    assert said["error"]["type"] == "not_found_error"
    assert "Amazon Bedrock has only /v1/messages" in said["error"]["message"]
    assert setting.provider.seen == []


@pytest.mark.parametrize("own", [{"X-Api-Key": "sk-ant-own-0123456789"}, {"Authorization": "Bearer sk-ant-oat-own-01"}])
async def test_an_own_key_is_refused_and_goes_nowhere(opened: Opening, own: dict[str, str]):
    async with opened(answering(), configured=amazon()) as setting:
        url, headers = setting.url + "/aws/v1/messages", {"X-Coder-AI-Governance-Token": TOKEN, **own}
        async with setting.client.post(url, json=ASK, headers=headers) as answer:
            said = await answer.json()
            assert (answer.status, said["error"]["type"]) == (403, "permission_error")
            assert "provider aws is called with AWS credentials of the gateway" in said["error"]["message"]
        async with setting.client.post(url, json=ASK, headers={"X-Coder-AI-Governance-Token": TOKEN}) as answer:
            assert answer.status == 200
    assert len(setting.provider.seen) == 1
    assert [begun.credential_kind for begun in setting.notebook.begun] == ["centralized"]


async def test_it_works_where_own_keys_are_off(opened: Opening):
    async with (
        opened(answering(), configured=amazon(), allow_byok=False) as setting,
        setting.post("/aws/v1/messages", ASK) as answer,
    ):
        assert answer.status == 200


async def test_a_body_that_is_no_object_is_refused_before_amazon(opened: Opening):
    async with opened(answering(), configured=amazon()) as setting, setting.post("/aws/v1/messages", [1]) as answer:
        assert (answer.status, (await answer.json())["error"]["type"]) == (400, "invalid_request_error")
    assert setting.provider.seen == []


async def test_a_body_that_cannot_be_put_into_amazons_words_is_refused_and_recorded(opened: Opening):
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    async with opened(answering(), configured=amazon()) as setting:
        url = setting.url + "/aws/v1/messages"
        async with setting.client.post(url, data=b'{"\xff":1,"messages":[]}', headers=headers) as answer:
            assert (answer.status, (await answer.json())["error"]["type"]) == (400, "invalid_request_error")
    assert setting.provider.seen == []
    end = setting.notebook.only_end
    assert (end.ending, end.http_status, end.error_type) == (Ending.REFUSED, 400, ErrorType.BAD_REQUEST)
