"""Which server is meant: flags, then environment, then the kept sign-in, else the local data."""

from pathlib import Path

import pytest

from coderai.cli.errors import WrongUse
from coderai.cli.target import Choices, Local, Remote, find_target

KEPT = {"/c/url": "http://kept:1\n", "/c/session": "kept-token\n"}


NOTHING = Choices()


def find(choices=NOTHING, environ=None, files=None, configured=("/from/file", None)):
    return find_target(choices, environ or {}, lambda path: (files or {}).get(str(path)), lambda _: configured)


@pytest.mark.parametrize(
    ("choices", "environ", "target"),
    [
        (Choices(url="http://a"), {"CODERAI_URL": "http://b"}, Remote("http://a", None)),
        (Choices(), {"CODERAI_URL": "http://b/", "CODER_URL": "http://c"}, Remote("http://b", None)),
        (Choices(), {"CODERAI_URL": "", "CODER_URL": "http://c"}, Remote("http://c", None)),
        (Choices(url="http://a", token="x"), {"CODERAI_TOKEN": "y"}, Remote("http://a", "x")),
        (Choices(url="http://a"), {"CODERAI_TOKEN": "y", "CODER_SESSION_TOKEN": "z"}, Remote("http://a", "y")),
        (Choices(url="http://a"), {"CODER_SESSION_TOKEN": "z"}, Remote("http://a", "z")),
        (Choices(data_dir="/d"), {"CODERAI_URL": "http://b"}, Local(Path("/d"), None)),
        (Choices(), {"CODERAI_DATA_DIR": "/e"}, Local(Path("/e"), None)),
        (Choices(database_url="sqlite:///x"), {"CODERAI_DATA_DIR": "/e"}, Local(Path("/e"), "sqlite:///x")),
        (Choices(config="f.yaml"), {}, Local(Path("/from/file"), None)),
        (Choices(config="f.yaml", data_dir="/d"), {}, Local(Path("/d"), None)),
        (Choices(), {"CODER_CONFIG_PATH": "f.yaml"}, Local(Path("/from/file"), None)),
        (Choices(), {}, Local(Path("~/.local/share/coderai").expanduser(), None)),
    ],
)
def test_flags_then_environment_then_default(choices, environ, target):
    assert find(choices, environ) == target


def test_the_kept_sign_in_is_used():
    assert find(Choices(config_dir="/c"), files=KEPT) == Remote("http://kept:1", "kept-token")


def test_the_kept_token_goes_to_the_kept_address_only():
    assert find(Choices(config_dir="/c", url="http://kept:1/"), files=KEPT) == Remote("http://kept:1", "kept-token")
    assert find(Choices(config_dir="/c", url="http://elsewhere"), files=KEPT) == Remote("http://elsewhere", None)


NO_ADDRESSES = ["ai.example.com", "ftp://x", "http://", "localhost:3000", "http://h:99999", "http://a b", "http://h/ö"]


@pytest.mark.parametrize("url", NO_ADDRESSES)
def test_an_address_needs_a_scheme_and_a_host(url):
    with pytest.raises(WrongUse, match=r"looks like http://127\.0\.0\.1:3000"):
        find(Choices(url=url))


def test_a_password_in_an_address_is_refused_and_not_shown():
    with pytest.raises(WrongUse) as refused:
        find(Choices(url="http://me:s3cret@host"))
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("token", ["s3cret\nX-Other: 1", "s3cret ö", "s3 cret"])
def test_a_token_that_cannot_be_sent_is_refused_and_not_shown(token):
    with pytest.raises(WrongUse) as refused:
        find(Choices(url="http://a", token=token))
    assert "s3" not in str(refused.value)


def test_a_server_and_local_data_at_once_make_no_sense():
    with pytest.raises(WrongUse, match="give either"):
        find(Choices(url="http://a", data_dir="/d"))


def test_secrets_do_not_show():
    assert "s3cret" not in repr((Choices(token="s3cret"), Remote("http://a", "s3cret"), Local(Path("/"), "s3cret")))
