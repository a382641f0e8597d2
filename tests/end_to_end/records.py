"""What a test finds in the database of a server that has left, or is still there."""

from sqlalchemy import select

from coderai.store.engine import open_store
from coderai.store.schema import interceptions, token_usages, user_prompts
from tests.store.looking import recounted, roll_up


async def endings(url: str) -> dict[str, tuple[str, int | None]]:
    """By prompt: how the exchange ended, and its output tokens."""
    query = (
        select(user_prompts.c.prompt, interceptions.c.ending, token_usages.c.output_tokens)
        .join(interceptions, interceptions.c.id == user_prompts.c.interception_id)
        .outerjoin(token_usages, token_usages.c.interception_id == interceptions.c.id)
    )
    async with open_store(url, jobs=False) as store:
        assert await roll_up(store) == await recounted(store)
        async with store.reading() as db:
            return {row.prompt: (row.ending, row.output_tokens) for row in await db.execute(query)}
