"""Everything that can be set for a model, as a table. Schema, checks, forms and the command line follow from it."""

from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["integer", "number", "boolean", "string", "strings", "price", "object", "bias", "group", "groups"]

MOST_TOKENS: Final = 2**53 - 1
"""Larger numbers are not exact in everybody's JSON."""
EFFORTS: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""The scale that all providers share, weakest first."""


@dataclass(frozen=True, slots=True)
class Option:
    """One row."""

    name: str
    kind: Kind
    text: str
    enum: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None
    members: tuple["Option", ...] = ()
    """Of a group, or of each of its groups."""
    needs_all: bool = False
    """A group that makes sense only with all of its members."""
    reserved: tuple[str, ...] = ()
    """Names that an object may not hold."""
    conflicts: tuple[str, ...] = ()
    """Neighbours that cannot be set together with it."""
    visible_when: str = ""
    """A neighbour that must be set before a form shows it."""
    hidden: bool = False
    """For programs; no form shows it."""

    @property
    def label(self) -> str:
        """What a form calls it."""
        return self.name.replace("_", " ").capitalize()


def _group(name: str, text: str, *members: Option, needs_all: bool = False, hidden: bool = False) -> Option:
    return Option(name, "group", text, members=members, needs_all=needs_all, hidden=hidden)


def _tokens(name: str, text: str, least: int = 1, *, hidden: bool = False) -> Option:
    return Option(name, "integer", text, least=least, most=MOST_TOKENS, hidden=hidden)


def _choice(name: str, text: str, *enum: str, hidden: bool = False) -> Option:
    return Option(name, "string", text, enum=enum, hidden=hidden)


def _yes(name: str, text: str, *, hidden: bool = False) -> Option:
    return Option(name, "boolean", text, hidden=hidden)


def _price(what: str) -> Option:
    return Option(
        f"{what}_price_per_million_tokens", "price", f"US dollars per million {what.replace('_', ' ')} tokens."
    )


_OURS: Final = ("model", "messages", "input", "stream", "tools")
_EXTRA_BODY: Final = Option(
    "extra_body", "object", "Members added to the request as they are.", reserved=_OURS, hidden=True
)
_PARALLEL: Final = _yes("parallel_tool_calls", "Whether the model may ask for several tools at once.")
_USER: Final = Option("user", "string", "Who is asking, for the provider's abuse detection.", hidden=True)
_BIAS: Final = Option(
    "logit_bias", "bias", "Likelihood of tokens, by token id, from -100 to 100.", least=-100, most=100, hidden=True
)
_EFFORT_OPENAI: Final = ("minimal", "low", "medium", "high", "xhigh")
_WEB: Final = _yes("web_search_enabled", "Let the model search the web, by the provider's own tool.")
_DOMAINS: Final = Option(
    "allowed_domains",
    "strings",
    "Search only there.",
    visible_when="web_search_enabled",
    conflicts=("blocked_domains",),
)


def _reasoning(*efforts: str) -> Option:
    return _group(
        "reasoning",
        "How the model thinks.",
        _yes("enabled", "Whether it thinks."),
        _yes("exclude", "Think, but leave it out of the answer."),
        _tokens("max_tokens", "Tokens for thinking."),
        _choice("effort", "How hard it thinks.", *efforts),
    )


OPENAI: Final = (
    _choice("reasoning_effort", "How hard a reasoning model thinks.", *_EFFORT_OPENAI),
    _choice("reasoning_summary", "How much of the thinking is told.", "auto", "concise", "detailed"),
    _tokens("max_completion_tokens", "Cap of the answer, thinking included; Chat Completions only."),
    _PARALLEL,
    Option("max_tool_calls", "integer", "Calls of the provider's tools in one answer.", least=1, most=10_000),
    _choice("text_verbosity", "How long answers are.", "low", "medium", "high"),
    _yes("store", "Whether the provider keeps the answer; true unless set."),
    _choice("service_tier", "Speed against price.", "auto", "default", "flex", "scale", "priority"),
    Option("prompt_cache_key", "string", "Requests with the same key share the provider's cache."),
    _WEB,
    _choice("search_context_size", "How much of the web is read.", "low", "medium", "high"),
    Option("allowed_domains", "strings", "Search only there.", visible_when="web_search_enabled"),
    Option("include", "strings", "Further parts of the answer.", hidden=True),
    Option("instructions", "string", "Put before the system prompt.", hidden=True),
    _yes("log_probs", "Tell the likelihood of each token.", hidden=True),
    Option("top_log_probs", "integer", "Tell that many likely tokens for each.", least=0, most=20, hidden=True),
    _BIAS,
    Option("prediction", "object", "Text that the answer will mostly repeat.", hidden=True),
    Option("metadata", "object", "Kept with the answer by the provider.", hidden=True),
    _USER,
    Option("safety_identifier", "string", "Who is asking, hashed.", hidden=True),
    _yes("strict_json_schema", "Tools keep strictly to their schema; Responses only.", hidden=True),
    _yes("structured_outputs", "Tools keep strictly to their schema; Chat Completions only.", hidden=True),
)
ANTHROPIC: Final = (
    _group(
        "thinking", "A fixed budget, for models before 4.7.", _tokens("budget_tokens", "Tokens for thinking.", 1024)
    ),
    _choice("effort", "How hard the model thinks.", "low", "medium", "high", "xhigh", "max"),
    _choice("thinking_display", "How much of the thinking is told.", "summarized", "omitted"),
    _yes("send_reasoning", "Whether earlier thinking is sent again; true unless set."),
    _yes("disable_parallel_tool_use", "The model may ask for one tool at a time only."),
    _WEB,
    _DOMAINS,
    Option("blocked_domains", "strings", "Do not search there.", visible_when="web_search_enabled"),
    _yes("context_1m_enabled", "Ask for the context of a million tokens; raise context_limit with it."),
)
GOOGLE: Final = (
    _group(
        "thinking_config",
        "How the model thinks.",
        Option("thinking_budget", "integer", "Tokens; 0: none, -1: its own choice.", least=-1, most=MOST_TOKENS),
        _yes("include_thoughts", "Whether thinking is told."),
        Option(
            "thinking_level",
            "string",
            "How hard Gemini 3 and newer think.",
            enum=("minimal", "low", "medium", "high"),
            conflicts=("thinking_budget",),
        ),
    ),
    Option("cached_content", "string", "Name of content cached at the provider."),
    Option(
        "safety_settings",
        "groups",
        "What is blocked, by category.",
        members=(
            Option("category", "string", "For example HARM_CATEGORY_HARASSMENT."),
            Option("threshold", "string", "For example BLOCK_ONLY_HIGH."),
        ),
        needs_all=True,
    ),
    Option("threshold", "string", "The same for every category.", hidden=True),
    _WEB,
)
OPENAI_COMPAT: Final = (_USER, _choice("reasoning_effort", "How hard a reasoning model thinks.", *_EFFORT_OPENAI))
OPENROUTER: Final = (
    _reasoning("low", "medium", "high"),
    _group(
        "provider",
        "Which providers answer.",
        Option("order", "strings", "Tried in this order."),
        _yes("allow_fallbacks", "Whether others may answer."),
        _yes("require_parameters", "Only those that know every parameter."),
        _choice("data_collection", "Whether they may keep data.", "allow", "deny"),
        Option("only", "strings", "No others."),
        Option("ignore", "strings", "Not these."),
        Option("quantizations", "strings", "For example fp8."),
        _choice("sort", "By what they are preferred.", "price", "throughput", "latency"),
        hidden=True,
    ),
    _yes("include_usage", "Tell the price in the answer."),
    _EXTRA_BODY,
    _PARALLEL,
    _BIAS,
    _yes("log_probs", "Tell the likelihood of each token.", hidden=True),
    _USER,
)
VERCEL: Final = (
    _reasoning(*EFFORTS[:-1]),
    _group(
        "providerOptions",
        "Which providers and models answer.",
        Option("order", "strings", "Providers, tried in this order."),
        Option("models", "strings", "Models to fall back to."),
        hidden=True,
    ),
    _yes("logprobs", "Tell the likelihood of each token.", hidden=True),
    Option("top_logprobs", "integer", "Tell that many likely tokens for each.", least=0, most=20, hidden=True),
    _BIAS,
    _PARALLEL,
    _USER,
    _EXTRA_BODY,
)
FAMILIES: Final = {
    "openai": OPENAI,
    "anthropic": ANTHROPIC,
    "google": GOOGLE,
    "openaicompat": OPENAI_COMPAT,
    "openrouter": OPENROUTER,
    "vercel": VERCEL,
}

COST: Final = _group(
    "cost", "Prices; never sent.", *(_price(what) for what in ("input", "output", "cache_read", "cache_write"))
)
GENERAL: Final = (
    _tokens("max_output_tokens", "Cap of the answer."),
    Option("temperature", "number", "0: always the likeliest; 2: wild.", least=0, most=2),
    Option("top_p", "number", "Only the likeliest tokens that make up this share.", least=0, most=1),
    Option("top_k", "integer", "Only that many likeliest tokens.", least=1, most=1_000_000),
    Option("presence_penalty", "number", "Against coming back to a subject.", least=-2, most=2),
    Option("frequency_penalty", "number", "Against repeating words.", least=-2, most=2),
    COST,
    _group(
        "reasoning_effort",
        "How hard the model thinks, on the scale all providers share.",
        _choice("default", "Unless a person chooses.", *EFFORTS),
        _choice("max", "The most a person may choose.", *EFFORTS),
        needs_all=True,
    ),
    _group(
        "openai_config",
        "Only for providers of type openai.",
        _yes("use_responses_api", "Responses or Chat Completions; unless set, by the name of the model."),
    ),
)


def table(families: tuple[str, ...] = tuple(FAMILIES)) -> Option:
    """Return the root of the table: the options of every model, and those of *families*."""
    each = (_group(name, f"Options of the {name} family.", *FAMILIES[name]) for name in families)
    provider_options = _group("provider_options", "By family of providers.", *each)
    return _group("model_config", "How the model is asked.", *GENERAL, provider_options)
