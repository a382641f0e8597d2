"""Reads metrics the way Prometheus does, and asks its own tools where they are installed."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

OURS = "coder_ai_gateway_"
OLDER = "coder_aibridged_"
NO_PROMTOOL = "promtool is not installed: what only it can check was not checked"


@dataclass(frozen=True)
class Scraped:
    """One reading."""

    text: str

    @property
    def samples(self) -> list[Sample]:
        return [sample for family in text_string_to_metric_families(self.text) for sample in family.samples]

    def all(self, name: str, /, **labels: str) -> list[Sample]:
        """The series of a metric that have these labels; the name without our prefix, or whole."""
        names = (name, OURS + name)
        return [each for each in self.samples if each.name in names and labels.items() <= each.labels.items()]

    def sum(self, name: str, /, **labels: str) -> float:
        """All of them together."""
        return sum(each.value for each in self.all(name, **labels))

    def by(self, name: str, *labels: str) -> dict[tuple[str, ...], float]:
        """Their values by some labels."""
        found: dict[tuple[str, ...], float] = {}
        for each in self.all(name):
            key = tuple(each.labels[label] for label in labels)
            found[key] = found.get(key, 0.0) + each.value
        return found


async def scrape(url: str, accept: str = "text/plain") -> Scraped:
    """Read the metrics at *url*."""
    async with aiohttp.ClientSession() as session, session.get(url, headers={"Accept": accept}) as answer:
        assert answer.status == 200
        return Scraped(await answer.text())


def promtool() -> Path:
    """The tool, wherever it is; without it the rest of a test is not run, and says so."""
    found = shutil.which("promtool")
    if found is None:
        pytest.skip(NO_PROMTOOL)
    return Path(found)
