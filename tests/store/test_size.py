"""How much room the database takes."""

from coderai.store.engine import Store
from coderai.store.size import size


async def test_the_size_is_that_of_a_database_with_our_tables(store: Store):
    assert 100_000 < await size(store) < 100_000_000
