"""The keys that secrets are sealed with: from the configuration, or from the key file that the first start made."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from coderai.access.callers import Caller
from coderai.access.sealing import NONCE_BYTES, Sealed, Sealer, parse_keys
from coderai.control.audit import note
from coderai.control.first_start import KEY_FILE
from coderai.errors import Conflict, StoreUnusable
from coderai.store.engine import Store
from coderai.store.processes import ORPHANED_AFTER, others_alive
from coderai.store.secrets import COLUMNS, SealedColumn, Secrets

OPTION: Final = "CODER_EXTERNAL_TOKEN_ENCRYPTION_KEYS"
_VARIABLES: Final = ("CODERAI_EXTERNAL_TOKEN_ENCRYPTION_KEYS", OPTION)


def given_keys(environ: Mapping[str, str]) -> str:
    """Return the keys of the environment, for commands that read no other settings; '' for none."""
    return next((environ[name] for name in _VARIABLES if environ.get(name)), "")


class Vault:
    """Seals and opens secrets. Without a key it does neither, and says so."""

    def __init__(self, sealer: Sealer | None, key_file: Path, trouble: str = "") -> None:
        self._sealer = sealer
        self._key_file = key_file
        self._trouble = trouble
        """Why nothing may be sealed here."""

    @classmethod
    def load(cls, data_dir: Path, given: str) -> "Vault":
        """Return the vault with the keys of *given* (a comma-separated list), else with the key file's.

        Raises BadSettings for bad keys, StoreUnusable for a key file that cannot be read or that others can read.
        """
        path = data_dir / KEY_FILE
        if given.strip():
            return cls(Sealer(parse_keys(given, OPTION)), path)
        return cls(_from_file(path), path)

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The ids of the keys, the one that seals first."""
        return self._sealer.key_ids if self._sealer else ()

    def seal(self, secret: str, column: SealedColumn, row_id: str) -> Sealed:
        """Return *secret* as it is stored. Raises Conflict when there is no key, or not the right one."""
        if self._trouble:
            raise Conflict(f"no secret can be stored here: {self._trouble}")
        if self._sealer is None:
            raise Conflict(
                f"there is no encryption key here, so no secret can be stored: neither {OPTION} nor {self._key_file};"
                " give every process the same keys"
            )
        return self._sealer.seal(secret, column.place(row_id), os.urandom(NONCE_BYTES))

    def open(self, sealed: Sealed, column: SealedColumn, row_id: str) -> str:
        """Return the secret. Raises StoreUnusable when its key is not here, or it was changed."""
        if self._sealer is None:
            raise StoreUnusable(
                f"{column.place(row_id)} was encrypted with the key {sealed.key_id}; there is no key here"
            )
        return self._sealer.open(sealed, column.place(row_id))

    async def check(self, store: Store) -> None:
        """Raises StoreUnusable, naming the keys, when the database holds secrets that cannot be opened."""
        async with store.reading() as db:
            missing = sorted(await Secrets(db).key_ids() - set(self.key_ids))
        if missing:
            ours = ", ".join(self.key_ids) or "none"
            raise StoreUnusable(
                f"the database holds secrets that were encrypted with the key {', '.join(missing)}; the keys here are:"
                f" {ours}. Put the missing key back into {self._key_file} or {OPTION}"
            )

    async def disagreement(self, store: Store) -> str:
        """Return what is to be said when servers that run on the database have not the same keys; '' for nothing."""
        ours = frozenset(self.key_ids)
        async with store.reading() as db:
            others = [other.key_ids for other in await others_alive(store, db)]
        odd = sorted({key_id for theirs in others for key_id in theirs ^ ours})
        if not odd:
            return ""
        return (
            f"not every server on this database has the encryption keys {', '.join(odd)}: what one stores, another may"
            f" not be able to read; give all of them the same {OPTION}"
        )

    async def careful(self, store: Store) -> "Vault":
        """Return a vault that reads what it can, and seals only if it can open everything that is there: else the
        servers, which have other keys, could not read what it sealed."""
        try:
            await self.check(store)
        except StoreUnusable as error:
            return Vault(self._sealer, self._key_file, str(error))
        return self

    async def rotate(self, store: Store, topics: tuple[str, ...] = ()) -> int:
        """Seal everything with the first key; return how many secrets were sealed anew. All or nothing.

        Raises StoreUnusable when one does not open, Conflict when a server that runs could not open them afterwards.
        """
        await self.check(store)
        first, changed = (self.key_ids or ("",))[0], 0
        async with store.transaction(topics) as db:
            before = await Secrets(db).key_ids()
            for column in COLUMNS:
                async for row_id, sealed in Secrets(db).sealed_otherwise(column, first):
                    anew = self.seal(self.open(sealed, column, row_id), column, row_id)
                    await Secrets(db).replace(column, row_id, anew)
                    changed += 1
            if changed:
                diff = {"key_ids": (sorted(before), [first])}
                await note(db, Caller("", "local"), "write", "encryption_key", first, "stored secrets", diff)
            await self._leave_nobody_blind(store, db, first)  # last: it sees a server that has come meanwhile
        return changed

    async def _leave_nobody_blind(self, store: Store, db: AsyncConnection, key_id: str) -> None:
        for other in await others_alive(store, db):
            if key_id not in other.key_ids:
                theirs = ", ".join(sorted(other.key_ids)) or "none"
                raise Conflict(
                    f"a server that runs on this database does not know the key {key_id} (it has: {theirs}) and could"
                    " read no secret afterwards; start it again with the new key beside the old one first, or stop it"
                    f" (one that was killed counts as running for {ORPHANED_AFTER.seconds} s)"
                )


def _from_file(path: Path) -> Sealer | None:
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            text = file.read(4096).decode("ascii", "replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreUnusable(f"cannot read the key file {path}: {error.strerror}") from error
    if mode & 0o077:
        raise StoreUnusable(f"others may read the key file {path} (mode {mode:04o}); mend it with: chmod 600 {path}")
    return Sealer(parse_keys(text.strip(), str(path)))
