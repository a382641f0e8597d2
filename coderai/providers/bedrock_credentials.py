"""AWS credentials of one Bedrock instance: static ones, what the AWS chain finds, or the role assumed with either.

Nothing is looked up before the first call. botocore blocks, so it works in a thread of its own; requests share one
look-up, and go on with what they have while that is still good.
"""

import asyncio
import os
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Thread
from typing import Any, Final, Protocol

from coderai.errors import UpstreamError
from coderai.settings.provider import BedrockConfig

LIMIT_SECONDS: Final = 30.0
"""As long does a call wait for credentials."""
AGAIN_SECONDS: Final = 300.0
"""Credentials without an end are looked up anew this often: a file may have been written again."""
PAUSE_SECONDS: Final = 10.0
"""Between look-ups that nobody waits for."""
LAST_SECONDS: Final = 60.0
"""Credentials that end sooner are not used any more."""


@dataclass(frozen=True, slots=True)
class AccessKey:
    """What a request is signed with."""

    id: str
    secret: str = field(repr=False)
    token: str | None = field(repr=False, default=None)
    """Of a session."""


class Credentials(Protocol):
    """Where the access key of an instance comes from."""

    async def get(self) -> AccessKey:
        """Return a key that works now, as far as known. Raises UpstreamError when there is none."""
        ...

    def forget(self) -> None:
        """Look again before the next call: the service refused what there is."""
        ...


class Static:
    """One access key, for ever."""

    def __init__(self, key: AccessKey) -> None:
        self._key = key

    async def get(self) -> AccessKey:
        """Return the key."""
        return self._key

    def forget(self) -> None:
        """There is no other."""


class Fetched:
    """Credentials that have to be looked up, and that may end. *find* returns botocore's, and may block."""

    def __init__(
        self,
        name: str,
        find: Callable[[], Any],
        clock: Callable[[], float] = time.monotonic,
        limit: float = LIMIT_SECONDS,
    ) -> None:
        self._name = name
        self._find = find
        self._clock = clock
        self._limit = limit
        self._found: Any = None
        self._key: AccessKey | None = None
        self._asked_at = 0.0
        self._lookup: Future[None] | None = None

    async def get(self) -> AccessKey:
        """Return a key that works now. Raises UpstreamError when none is found in time."""
        key = self._key
        if key is not None and self._lasts():
            if self._due():
                self._look_up()  # for those who come later
            return key
        await self._looked_up()
        if self._key is None:  # it was refused while it was looked up
            raise UpstreamError(f"{self._name}: the AWS credentials were refused; try again")
        return self._key

    def forget(self) -> None:
        """Look again before the next call."""
        self._key, self._found = None, None

    def _lasts(self) -> bool:
        return not self._ends() or not self._found.refresh_needed(LAST_SECONDS)

    def _due(self) -> bool:
        age = self._clock() - self._asked_at
        return age > PAUSE_SECONDS and self._found.refresh_needed() if self._ends() else age > AGAIN_SECONDS

    def _ends(self) -> bool:
        return hasattr(self._found, "refresh_needed")

    async def _looked_up(self) -> None:
        try:
            async with asyncio.timeout(self._limit):
                await asyncio.wrap_future(self._look_up())
        except TimeoutError as error:
            raise UpstreamError(f"{self._name}: no AWS credentials within {self._limit:g} s") from error

    def _look_up(self) -> Future[None]:
        """Return the look-up that is under way, or a new one; in a daemon thread, as a hanging one must keep nobody."""
        if self._lookup is None or self._lookup.done():
            lookup: Future[None] = Future()
            lookup.set_running_or_notify_cancel()  # so that a client who leaves does not cancel it for the others
            Thread(target=self._work, args=(lookup,), name="aws credentials", daemon=True).start()
            self._lookup, self._asked_at = lookup, self._clock()
        return self._lookup

    def _work(self, lookup: Future[None]) -> None:
        try:
            self._fetch()
        except BaseException as error:  # noqa: BLE001 - the top of a thread: whoever waits has to hear of it
            lookup.set_exception(error)
        else:
            lookup.set_result(None)

    def _fetch(self) -> None:
        from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]

        try:
            found = self._found
            if not hasattr(found, "refresh_needed"):
                found = self._find()
            frozen = found.get_frozen_credentials() if found is not None else None
        except (BotoCoreError, ClientError, RuntimeError, OSError, ValueError, KeyError) as error:
            raise UpstreamError(f"{self._name}: no AWS credentials: {_told(error)}") from error
        if frozen is None:
            raise UpstreamError(
                f"{self._name}: no AWS credentials found: set an access key and its secret for this provider, or give"
                " the server what the AWS tools look for (variables, shared files, a role)"
            )
        self._found, self._key = found, AccessKey(frozen.access_key, frozen.secret_key, frozen.token)


def _told(error: Exception) -> str:
    """Return what *error* says, without what a helper program or a metadata service said: that may be a secret."""
    said = getattr(error, "kwargs", {})
    return f"{said['provider']} failed" if "error_msg" in said and "provider" in said else str(error)


def credentials_for(name: str, config: BedrockConfig) -> Credentials:
    """Return the credentials of the instance *name*. Of several static pairs the first is used."""
    static = AccessKey(config.access_keys[0], config.access_key_secrets[0]) if config.access_keys else None
    if config.role_arn:
        return Fetched(name, lambda: _assumed(name, config, static))
    return Static(static) if static else Fetched(name, lambda: _session(None).get_credentials())


def _session(static: AccessKey | None) -> Any:
    """Return a botocore session; with *static* credentials, one that looks at no files and no profile."""
    from botocore.session import Session  # type: ignore[import-untyped]

    if static is None:
        return Session()
    nowhere = (None, None, os.devnull, None)
    session = Session(
        session_vars={"profile": (None, None, None, None), "config_file": nowhere, "credentials_file": nowhere}
    )
    session.set_credentials(static.id, static.secret, static.token)
    return session


def _assumed(name: str, config: BedrockConfig, static: AccessKey | None) -> Any:
    """Return credentials of the role, which renew themselves."""
    from botocore.config import Config  # type: ignore[import-untyped]
    from botocore.credentials import (  # type: ignore[import-untyped]
        RefreshableCredentials,
        create_assume_role_refresher,
    )

    limits = Config(connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 2})
    client = _session(static).create_client("sts", region_name=config.region or None, config=limits)
    asked = {"RoleArn": config.role_arn, "RoleSessionName": f"coderai-{name}"[:64]}
    if config.external_id:
        asked["ExternalId"] = config.external_id
    refresh = create_assume_role_refresher(client, asked)
    return RefreshableCredentials.create_from_metadata(refresh(), refresh, "sts-assume-role")
