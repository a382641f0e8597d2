"""What is done to the local data beside a server, or without one."""

from collections.abc import Mapping
from pathlib import Path

from coderai.control.rotation import Rotated, rotate, rotate_to_new_key
from coderai.control.vault import given_keys
from coderai.store.engine import open_store


async def rotate_keys(
    data_dir: Path, database_url: str | None, environ: Mapping[str, str], *, new_key: bool
) -> Rotated:
    """Seal the secrets of a database anew. Raises StoreUnusable, BadSettings, Conflict; nothing has changed then."""
    url, given = database_url or f"sqlite:///{data_dir / 'coderai.db'}", given_keys(environ)
    async with open_store(url, create=False, jobs=False) as store:
        if new_key:
            return await rotate_to_new_key(store, data_dir, given)
        return await rotate(store, data_dir, given)
