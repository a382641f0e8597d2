"""What Gemini takes beyond Chat Completions, at Google's endpoint that looks like OpenAI's: ``extra_body.google``."""

from typing import Any, Final

from coderai.models.efforts import gemini_level, gemini_version, old_gemini_effort
from coderai.models.taking import Taking

_HARMS: Final = tuple(
    f"HARM_CATEGORY_{harm}" for harm in ("HARASSMENT", "HATE_SPEECH", "SEXUALLY_EXPLICIT", "DANGEROUS_CONTENT")
)


def members(model: str, options: Taking, effort: str | None) -> dict[str, Any]:
    """Return the members of the body."""
    document: dict[str, Any] = {}
    thinking = dict(options.own("thinking_config") or {})
    version = gemini_version(model)
    if effort and "thinking_budget" not in thinking:
        if version is None or version < (3, 0):
            # With this one nothing can be said about thoughts: the endpoint refuses both together.
            document["reasoning_effort"] = old_gemini_effort(model, effort)
            if thinking:
                options.remark("thinking_config", "is not sent: reasoning_effort is")
            thinking = {}
        else:
            thinking["thinking_level"] = gemini_level(model, effort)
            thinking.setdefault("include_thoughts", True)
    google: dict[str, Any] = {"thinking_config": thinking} if thinking else {}
    google |= options.all_of({"cached_content": "cached_content", "safety_settings": "safety_settings"})
    if threshold := options.own("threshold"):
        google.setdefault("safety_settings", [{"category": harm, "threshold": threshold} for harm in _HARMS])
    if google:
        document["extra_body"] = {"google": google}
    if options.own("web_search_enabled"):
        document["web_search_options"] = {}  # Google Search; it has no options
    return document
