"""From nothing to the first recorded session."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.web.living import Living, living
from tests.web.reading import look


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Living]:
    """A server without providers on which nothing was asked yet."""
    with living(tmp_path / "data", providers=False) as server:
        yield server


async def test_the_way_to_the_first_session(empty: Living):
    async with empty.session("admin") as admin, empty.session("mia") as mia:
        assert (await look(admin, "/")).location == "/welcome"
        assert (await look(mia, "/")).location == "/aibridge/sessions"

        steps = (await look(admin, "/welcome")).text
        assert 'href="/ai/settings/providers/add"' in steps
        assert "for the first request" in steps
        assert 'hx-get="/welcome?polls=299"' in steps
        assert "This page has stopped looking" in (await look(admin, "/welcome?polls=0")).text
        assert "Whoever owns this gateway" in (await look(mia, "/welcome")).text
        assert "No provider is set up" in (await look(admin, "/overview")).text

        provider = {"type": "anthropic", "name": "anthropic", "base_url": empty.provider, "api_keys": ["sk-first"]}
        async with admin.post("/api/v2/ai/providers", json=provider | {"enabled": True}) as made:
            assert made.status == 201
        await empty.exchange("The first one", who="admin")

        done = (await look(admin, "/welcome?polls=299")).text
        assert "The first session is recorded" in done
        assert "hx-get" not in done
        assert done.count(">done<") == 3
        assert (await look(admin, "/")).location == "/overview"
