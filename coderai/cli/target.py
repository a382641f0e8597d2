"""Which server a command talks to: one at an address, or the local data directory."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urlsplit

from coderai.cli.errors import WrongUse

DATA_DIR: Final = "~/.local/share/coderai"
CONFIG_DIR: Final = "~/.config/coderai"


class Output(StrEnum):
    """How results are written."""

    TABLE = "table"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Choices:
    """The options every command takes, as far as they were given."""

    url: str | None = None
    token: str | None = field(default=None, repr=False)
    config_dir: str | None = None
    data_dir: str | None = None
    database_url: str | None = field(default=None, repr=False)
    config: str | None = None
    output: Output | None = None
    timeout: str | None = None
    no_color: bool = False

    def over(self, others: "Choices | None") -> "Choices":
        """Return these choices, and those of *others* where these say nothing."""
        given = {name: value for name in self.__slots__ if (value := getattr(self, name))}
        return replace(others, **given) if others else self


@dataclass(frozen=True, slots=True)
class Remote:
    """A server at an address."""

    url: str
    token: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Local:
    """A data directory on this machine."""

    data_dir: Path
    database_url: str | None = field(repr=False)
    """None: the embedded database in the data directory."""


Configured = Callable[[str], tuple[str, str | None]]
"""Reads a configuration file and gives data directory and database URL."""


def find_target(
    choices: Choices,
    environ: Mapping[str, str],
    read_file: Callable[[Path], str | None],
    configured: Configured,
) -> Remote | Local:
    """Decide by flags, then environment, then the sign-in kept in the configuration directory; else it is local."""
    if choices.url and (choices.data_dir or choices.database_url):
        raise WrongUse("--url names a server, --data-dir and --database-url a local one: give either")
    token = choices.token or environ.get("CODERAI_TOKEN") or environ.get("CODER_SESSION_TOKEN")
    if choices.url:
        return _remote(choices.url, token or _kept_token(choices.url, choices, environ, read_file))
    if not (choices.data_dir or choices.database_url or choices.config):
        url = named_url(environ) or _kept(choices, environ, read_file, "url")
        if url:
            return _remote(url, token or _kept_token(url, choices, environ, read_file))
    return find_local(choices, environ, configured)


def find_local(choices: Choices, environ: Mapping[str, str], configured: Configured) -> Local:
    """Return the local data, whatever server is named elsewhere."""
    config = choices.config or environ.get("CODER_CONFIG_PATH")
    from_file = configured(config) if config else (None, None)
    data_dir = choices.data_dir or environ.get("CODERAI_DATA_DIR") or from_file[0] or DATA_DIR
    database = choices.database_url or environ.get("CODERAI_DATABASE_URL") or from_file[1]
    return Local(Path(data_dir).expanduser(), database or None)


def named_url(environ: Mapping[str, str]) -> str | None:
    """Return the server that the environment names."""
    return environ.get("CODERAI_URL") or environ.get("CODER_URL") or None


def config_dir(choices: Choices, environ: Mapping[str, str]) -> Path:
    """Return the directory in which the sign-in is kept."""
    return Path(choices.config_dir or environ.get("CODERAI_CONFIG_DIR") or CONFIG_DIR).expanduser()


def checked(url: str) -> str:
    """Return *url* without a trailing slash. Raises WrongUse when it is no HTTP address."""
    parts = urlsplit(url)
    if "@" in parts.netloc:
        raise WrongUse("no name or password in the address of a server: use --token")
    if parts.scheme not in ("http", "https") or not parts.hostname or not _is_clean(url) or not _has_port(parts):
        raise WrongUse(f"{url!r} is no address of a server; it looks like http://127.0.0.1:3000")
    return url.rstrip("/")


def _is_clean(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text


def _has_port(parts: SplitResult) -> bool:
    try:
        return parts.port != 0
    except ValueError:
        return False


def _remote(url: str, token: str | None) -> Remote:
    if token is not None and not _is_clean(token):
        raise WrongUse("the token holds characters that no token has")
    return Remote(checked(url), token)


def _kept(
    choices: Choices, environ: Mapping[str, str], read_file: Callable[[Path], str | None], name: str
) -> str | None:
    text = read_file(config_dir(choices, environ) / name)
    return (text or "").strip() or None


def _kept_token(
    url: str, choices: Choices, environ: Mapping[str, str], read_file: Callable[[Path], str | None]
) -> str | None:
    """The kept token belongs to the kept address and goes nowhere else."""
    kept = _kept(choices, environ, read_file, "url")
    if kept is None or kept.rstrip("/") != url.rstrip("/"):
        return None
    return _kept(choices, environ, read_file, "session")
