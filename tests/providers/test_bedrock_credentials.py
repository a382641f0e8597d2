"""AWS credentials: static, from the machine, from a role; before a scripted token service that checks signatures."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from botocore.credentials import ReadOnlyCredentials as AccessKeyOfBotocore
from botocore.session import Session

from coderai.demo.bedrock import Account, Issued, security_tokens
from coderai.demo.provider import Reply, ScriptedProvider
from coderai.errors import UpstreamError
from coderai.providers.bedrock_credentials import AccessKey, Fetched, credentials_for
from coderai.settings.provider import BedrockConfig

ROLE = "arn:aws:iam::123456789012:role/bedrock"
STATIC = BedrockConfig("eu-west-1", access_keys=("AKIASTATIC", "AKIASECOND"), access_key_secrets=("s1", "s2"))
CHAIN = BedrockConfig("eu-west-1")
ASSUMED = BedrockConfig("eu-west-1", access_keys=("AKIASTATIC",), access_key_secrets=("s1",), role_arn=ROLE)
CALLERS = Account({"AKIASTATIC": "s1", "AKIAMACHINE": "s3"}, region="eu-west-1", service="sts")


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment in which nothing of AWS is set but where the files would be."""
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


class Issuer:
    """Gives other credentials each time."""

    def __init__(self, *minutes: float) -> None:
        self.minutes = list(minutes)
        self.count = 0

    def __call__(self) -> Issued:
        self.count += 1
        until = datetime.now(UTC) + timedelta(minutes=self.minutes.pop(0))
        return Issued(f"ASIA{self.count:016}", f"secret-{self.count}", f"token-{self.count}", until)


@asynccontextmanager
async def token_service(
    monkeypatch: pytest.MonkeyPatch, issuer: Issuer, **wanted: str
) -> AsyncIterator[ScriptedProvider]:
    service = ScriptedProvider(security_tokens(CALLERS, {"RoleArn": ROLE, **wanted}, issuer))
    async with service.serving() as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", url)
        yield service


async def test_of_several_static_pairs_the_first_is_used():
    assert await credentials_for("aws", STATIC).get() == AccessKey("AKIASTATIC", "s1", None)


async def test_static_keys_ignore_what_the_machine_has(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of somebody else")
    monkeypatch.setenv("AWS_PROFILE", "missing")
    assert await credentials_for("aws", STATIC).get() == AccessKey("AKIASTATIC", "s1", None)


async def test_the_machines_variables(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAMACHINE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "t3")
    assert await credentials_for("aws", CHAIN).get() == AccessKey("AKIAMACHINE", "s3", "t3")


async def test_the_machines_shared_file_and_profile(files: Path, monkeypatch: pytest.MonkeyPatch):
    (files / "credentials").write_text(
        "[default]\naws_access_key_id=AKIAFILE\naws_secret_access_key=s4\n"
        "[team]\naws_access_key_id=AKIATEAM\naws_secret_access_key=s5\naws_session_token=t5\n"
    )
    assert await credentials_for("aws", CHAIN).get() == AccessKey("AKIAFILE", "s4", None)
    monkeypatch.setenv("AWS_PROFILE", "team")
    assert await credentials_for("aws", CHAIN).get() == AccessKey("AKIATEAM", "s5", "t5")


async def test_a_file_that_was_written_again_is_read_again(files: Path):
    (files / "credentials").write_text("[default]\naws_access_key_id=AKIAOLD\naws_secret_access_key=s\n")
    now = 1000.0
    looked = threading.Semaphore(0)

    def find() -> object:
        looked.release()
        return Session().get_credentials()

    credentials = Fetched("aws", find, clock=lambda: now)
    assert (await credentials.get()).id == "AKIAOLD"
    assert looked.acquire(blocking=False)
    (files / "credentials").write_text("[default]\naws_access_key_id=AKIANEW\naws_secret_access_key=s\n")
    now += 299
    assert (await credentials.get()).id == "AKIAOLD"
    assert not looked.acquire(blocking=False)
    now += 2
    assert (await credentials.get()).id == "AKIAOLD"  # nobody waits
    assert looked.acquire(timeout=10)
    credentials.forget()
    assert (await credentials.get()).id == "AKIANEW"


async def test_the_token_of_a_kubernetes_service_account(files: Path, monkeypatch: pytest.MonkeyPatch):
    until = datetime.now(UTC) + timedelta(hours=1)
    document = Issued("ASIAPOD", "s6", "t6", until).document()
    answer = Reply(chunks=[document.replace(b"AssumeRole", b"AssumeRoleWithWebIdentity")], content_type="text/xml")
    service = ScriptedProvider([answer])
    (files / "token").write_text("signed-by-the-cluster")
    async with service.serving() as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", url)
        monkeypatch.setenv("AWS_REGION", "eu-west-1")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
        monkeypatch.setenv("AWS_ROLE_ARN", ROLE)
        monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(files / "token"))
        credentials = credentials_for("aws", CHAIN)
        keys = {await credentials.get(), await credentials.get()}
    assert keys == {AccessKey("ASIAPOD", "s6", "t6")}
    [seen] = service.seen
    assert b"WebIdentityToken=signed-by-the-cluster" in seen.body


async def test_the_credentials_of_a_container(monkeypatch: pytest.MonkeyPatch):
    document = {"AccessKeyId": "ASIATASK", "SecretAccessKey": "s7", "Token": "t7", "Expiration": "2999-01-01T00:00:00Z"}
    service = ScriptedProvider([Reply(chunks=[json.dumps(document).encode()])])
    async with service.serving() as url:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url + "/credentials")
        assert await credentials_for("aws", CHAIN).get() == AccessKey("ASIATASK", "s7", "t7")


async def test_what_a_metadata_service_says_is_not_repeated(monkeypatch: pytest.MonkeyPatch):
    service = ScriptedProvider(lambda seen: Reply(chunks=[b"canary-secret, no JSON"]))
    async with service.serving() as url:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url)
        with pytest.raises(UpstreamError, match="aws: no AWS credentials: container-role failed") as caught:
            await credentials_for("aws", CHAIN).get()
    assert "canary" not in str(caught.value)


async def test_no_credentials_at_all():
    with pytest.raises(UpstreamError, match="aws: no AWS credentials found: set an access key"):
        await credentials_for("aws", CHAIN).get()


async def test_a_profile_that_is_not_there(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_PROFILE", "missing")
    with pytest.raises(UpstreamError, match=r"aws: no AWS credentials: .*missing"):
        await credentials_for("aws", CHAIN).get()


async def test_a_role_is_assumed_with_static_keys_and_nothing_of_the_machine(
    files: Path, monkeypatch: pytest.MonkeyPatch
):
    (files / "config").write_text("[default]\nregion=us-east-2\nendpoint_url=http://127.0.0.1:1\n")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAMACHINE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3")
    monkeypatch.setenv("AWS_PROFILE", "missing")
    async with token_service(monkeypatch, Issuer(60)) as service:
        key = await credentials_for("aws", ASSUMED).get()
    assert key == AccessKey("ASIA0000000000000001", "secret-1", "token-1")
    assert "Credential=AKIASTATIC/" in service.seen[0].headers["Authorization"]
    assert b"ExternalId" not in service.seen[0].body


async def test_a_role_is_assumed_with_the_machines_credentials_and_an_external_id(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAMACHINE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3")
    config = BedrockConfig("eu-west-1", role_arn=ROLE, external_id="team-7")
    async with token_service(monkeypatch, Issuer(60), ExternalId="team-7", RoleSessionName="coderai-aws") as service:
        key = await credentials_for("aws", config).get()
    assert key.token == "token-1"
    assert "Credential=AKIAMACHINE/" in service.seen[0].headers["Authorization"]


async def test_a_role_that_may_not_be_assumed(monkeypatch: pytest.MonkeyPatch):
    async with token_service(monkeypatch, Issuer(60), ExternalId="another"):
        with pytest.raises(UpstreamError, match=r"aws: no AWS credentials: .*AccessDenied.*AssumeRole"):
            await credentials_for("aws", ASSUMED).get()


async def test_a_token_service_that_is_not_there(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9")
    with pytest.raises(UpstreamError, match="aws: no AWS credentials: Could not connect"):
        await credentials_for("aws", ASSUMED).get()


async def test_everybody_shares_one_look_up(monkeypatch: pytest.MonkeyPatch):
    async with token_service(monkeypatch, Issuer(60)) as service:
        credentials = credentials_for("aws", ASSUMED)
        keys = await asyncio.gather(*(credentials.get() for _ in range(20)))
        keys.append(await credentials.get())
    assert {key.id for key in keys} == {"ASIA0000000000000001"}
    assert len(service.seen) == 1


async def test_credentials_that_have_ended_are_fetched_again(monkeypatch: pytest.MonkeyPatch):
    async with token_service(monkeypatch, Issuer(5, 0.5, 60)) as service:  # botocore itself does not like the first
        credentials = credentials_for("aws", ASSUMED)
        assert (await credentials.get()).token == "token-2"  # ends in half a minute
        assert (await credentials.get()).token == "token-3"
        assert (await credentials.get()).token == "token-3"
    assert len(service.seen) == 3


class Aging:
    """What botocore gives for credentials that end."""

    def __init__(self) -> None:
        self.left = 3600.0
        self.may_refresh = threading.Event()
        self.number = 0

    def refresh_needed(self, within: float = 900) -> bool:
        return self.left < within

    def get_frozen_credentials(self) -> AccessKeyOfBotocore:
        if self.refresh_needed():
            assert self.may_refresh.wait(10)
        self.number += 1
        return AccessKeyOfBotocore(f"key-{self.number}", "secret", "token")


async def test_credentials_that_end_soon_are_used_while_others_are_fetched():
    aging, now = Aging(), 1000.0
    credentials = Fetched("aws", lambda: aging, clock=lambda: now)
    assert (await credentials.get()).id == "key-1"
    aging.left, now = 700, now + 11
    assert (await credentials.get()).id == "key-1"  # and the next ones are on their way
    aging.left = 30
    aging.may_refresh.set()
    assert (await credentials.get()).id == "key-2"


async def test_refused_credentials_are_fetched_again(monkeypatch: pytest.MonkeyPatch):
    async with token_service(monkeypatch, Issuer(60, 60)):
        credentials = credentials_for("aws", ASSUMED)
        assert (await credentials.get()).token == "token-1"
        credentials.forget()
        assert (await credentials.get()).token == "token-2"


async def test_a_look_up_that_hangs_is_given_up_and_not_repeated():
    released, calls = threading.Event(), []

    def find() -> object:
        calls.append(1)
        released.wait(30)

    credentials = Fetched("aws", find, limit=0.05)
    for _ in range(3):
        with pytest.raises(UpstreamError, match=r"aws: no AWS credentials within 0.05 s"):
            await credentials.get()
    assert len(calls) == 1
    released.set()


async def test_a_caller_who_leaves_does_not_end_the_look_up_of_the_others(monkeypatch: pytest.MonkeyPatch):
    async with token_service(monkeypatch, Issuer(60)) as service, asyncio.TaskGroup() as tasks:
        credentials = credentials_for("aws", ASSUMED)
        leaving = tasks.create_task(credentials.get())
        staying = tasks.create_task(credentials.get())
        await service.request(0)
        leaving.cancel()
        assert (await staying).token == "token-1"


def test_nothing_shows_a_secret():
    shown = repr([AccessKey("AKIA", "canary", "canary"), STATIC, ASSUMED])
    assert "canary" not in shown
    assert "s1" not in shown
