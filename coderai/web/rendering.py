"""Templates, and how values look on a page. Jinja is loaded when the first page is asked for."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from coderai import __version__
from coderai.access.roles import Right
from coderai.web import looks, statics
from coderai.web.navigation import menu

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES: Final = Path(__file__).parent / "templates"


def render(template: str, values: Mapping[str, Any]) -> str:
    """Return the text of a page. What a template does not know is a mistake of ours and raises."""
    return _environment().get_template(template).render(values, now=datetime.now(UTC))


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,  # prompts, names and arguments are hostile text
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.globals |= {"static": statics.address, "menu": menu, "rights": Right, "version": __version__}
    environment.filters |= {name: getattr(looks, name) for name in looks.FILTERS}
    return environment
