"""Agents of the terminal."""

from coderai.setups.snippets import OWN_KEY, TOKEN, TOKEN_HEADER, Place, Snippet, document, lines, shell, string


def claude_code(place: Place) -> Snippet:
    chosen = {"ANTHROPIC_MODEL": place.chosen_model} if place.chosen_model else {}
    hints = {
        "CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY": "1",
        "CLAUDE_CODE_GATEWAY_HINT_HEADERS": "1",  # tells sub-agents apart in the audit trail
    }
    where = {"ANTHROPIC_BASE_URL": place.base}
    if not place.byok:
        return shell({**where, "ANTHROPIC_AUTH_TOKEN": TOKEN, **chosen, **hints}, unset=["ANTHROPIC_API_KEY"])
    own = {"ANTHROPIC_CUSTOM_HEADERS": f"{TOKEN_HEADER}: {TOKEN}", "ANTHROPIC_API_KEY": OWN_KEY}
    then = "With a Claude subscription leave ANTHROPIC_API_KEY out; CLAUDE_CODE_OAUTH_TOKEN takes its place."
    return shell({**where, **own, **chosen, **hints}, unset=["ANTHROPIC_AUTH_TOKEN"], then=then)


def codex(place: Place) -> Snippet:
    needs = "CODER_TOKEN and OPENAI_API_KEY (your own key)" if place.byok else "CODER_TOKEN"
    token = f'env_http_headers = {{ "{TOKEN_HEADER}" = "CODER_TOKEN" }}'
    return lines(
        "toml",
        *([f"model = {string(place.chosen_model)}"] if place.chosen_model else []),
        'model_provider = "aigateway"',
        "",
        "[model_providers.aigateway]",
        'name = "AI Gateway"',
        f"base_url = {string(place.v1)}",
        *(['env_key = "OPENAI_API_KEY"', token] if place.byok else ['env_key = "CODER_TOKEN"']),
        'wire_api = "responses"',
        "supports_websockets = true",
        file="~/.codex/config.toml",
        then=f"Codex reads {needs} from the environment. Put the lines before the first [table] of that file.",
    )


def codex_chatgpt(place: Place) -> Snippet:
    return lines(
        "toml",
        *([f"model = {string(place.chosen_model)}"] if place.chosen_model else []),
        'model_provider = "aigateway"',
        "",
        "[model_providers.aigateway]",
        'name = "OpenAI"',
        f"base_url = {string(place.v1)}",
        "requires_openai_auth = true",
        f'env_http_headers = {{ "{TOKEN_HEADER}" = "CODER_TOKEN" }}',
        'wire_api = "responses"',
        "supports_websockets = true",
        file="~/.codex/config.toml",
        then="Sign in with `codex login`; Codex reads CODER_TOKEN from the environment.",
    )


def copilot_cli(place: Place) -> Snippet:
    added = "\n".join(f"{name}: {value}" for name, value in place.headers("copilot-cli").items())
    openai = {
        "COPILOT_PROVIDER_TYPE": "openai",
        "COPILOT_PROVIDER_BASE_URL": place.v1,
        "COPILOT_PROVIDER_WIRE_API": "responses",
    }
    anthropic = {"COPILOT_PROVIDER_TYPE": "anthropic", "COPILOT_PROVIDER_BASE_URL": place.base}
    return shell(
        {
            "COPILOT_OFFLINE": "true",
            "COPILOT_MODEL": place.model,
            **(anthropic if place.family == "anthropic" else openai),
            "COPILOT_PROVIDER_API_KEY": place.key,
            "COPILOT_PROVIDER_HEADERS": added,
        },
        then="COPILOT_OFFLINE stops every call to GitHub; without it Copilot wants its own sign-in.",
    )


def opencode(place: Place) -> Snippet:
    return document(_opencode(place), "~/.config/opencode/opencode.json", then=_opencode_needs(place))


def kilo(place: Place) -> Snippet:
    return document(_opencode(place), "~/.config/kilo/kilo.json", then=_opencode_needs(place))


def _opencode(place: Place) -> dict[str, object]:
    options: dict[str, object] = {"baseURL": place.v1, "apiKey": _opencode_variable(place.key)}
    if place.byok:
        options["headers"] = {TOKEN_HEADER: _opencode_variable(TOKEN)}
    chosen = {"model": f"{place.family}/{place.chosen_model}"} if place.chosen_model else {}
    return {**chosen, "provider": {place.family: {"options": options}}}


def _opencode_variable(placeholder: str) -> str:
    return f"{{env:{placeholder[1:]}}}"


def _opencode_needs(place: Place) -> str:
    own = " and PROVIDER_KEY (your own key)" if place.byok else ""
    return f"It reads CODER_TOKEN{own} from the environment."


def cline(place: Place) -> Snippet:
    name = "anthropic" if place.family == "anthropic" else "openai-native"
    settings = {
        "provider": name,
        "apiKey": place.key,
        "model": place.model,
        "baseUrl": place.v1,
        "headers": place.headers("cline"),
    }
    entry = {"settings": settings, "updatedAt": "2026-01-01T00:00:00.000Z", "tokenSource": "manual"}
    content = {"version": 1, "lastUsedProvider": name, "modes": {}, "providers": {name: entry}}
    return document(content, "~/.cline/data/settings/providers.json")


def droid(place: Place) -> Snippet:
    model: dict[str, object] = {
        "model": place.model,
        "displayName": "gw",
        "baseUrl": place.base if place.family == "anthropic" else place.v1,
        "apiKey": place.key,
        "provider": place.family,
        "maxOutputTokens": 8192,
    }
    if place.byok:
        model["extraHeaders"] = place.headers()
    then = "Run it with `-m custom:gw-0`; it also wants some FACTORY_API_KEY."
    return document({"customModels": [model]}, "~/.factory/settings.json", then=then)


def pi(place: Place) -> Snippet:
    anthropic = place.family == "anthropic"
    provider = {
        "baseUrl": place.base if anthropic else place.v1,
        "apiKey": place.key,
        "api": "anthropic-messages" if anthropic else "openai-responses",
        "headers": place.headers("pi"),
        "models": [{"id": place.model, "reasoning": True}],
    }
    then = f"Run it with `--provider gw --model {place.model}`."
    return document({"providers": {"gw": provider}}, "~/.pi/agent/models.json", then=then)


def continue_cli(place: Place) -> Snippet:
    return lines(
        "yaml",
        "name: gateway",
        "version: 1.0.0",
        "schema: v1",
        "models:",
        "  - name: gateway",
        f"    provider: {place.family}",
        f"    model: {string(place.model)}",
        f"    apiBase: {string(place.v1 + '/')}",
        f"    apiKey: {string(place.key)}",
        "    roles: [chat, edit]",
        "    capabilities: [tool_use]",
        "    requestOptions:",
        "      headers:",
        *(f"        {name}: {string(value)}" for name, value in place.headers("continue").items()),
        file="~/.continue/config.yaml",
    )


def qwen_code(place: Place) -> Snippet:
    if not place.byok:
        return shell({"OPENAI_BASE_URL": place.v1, "OPENAI_API_KEY": TOKEN, "OPENAI_MODEL": place.model})
    content = {
        "security": {"auth": {"selectedType": "openai", "baseUrl": place.v1, "apiKey": OWN_KEY}},
        "model": {"name": place.model, "generationConfig": {"customHeaders": place.headers()}},
    }
    return document(content, "~/.qwen/settings.json")


def aider(place: Place) -> Snippet:
    prefix = "ANTHROPIC" if place.family == "anthropic" else "OPENAI"
    base = place.base if place.family == "anthropic" else place.v1
    then = f"Run it with `aider --model {place.family}/{place.model}`."
    return shell({f"{prefix}_API_BASE": base, f"{prefix}_API_KEY": TOKEN}, then=then)


def llm(place: Place) -> Snippet:
    if place.family == "anthropic":
        token = {"ANTHROPIC_CUSTOM_HEADERS": f"{TOKEN_HEADER}: {TOKEN}"} if place.byok else {}
        then = "Needs the plug-in llm-anthropic."
        return shell({"ANTHROPIC_BASE_URL": place.base, "ANTHROPIC_API_KEY": place.key, **token}, then=then)
    return lines(
        "yaml",
        "- model_id: gateway",
        f"  model_name: {string(place.model)}",
        f"  api_base: {string(place.v1)}",
        "  api_key_name: gateway",
        *(["  headers:", f"    {TOKEN_HEADER}: {string(TOKEN)}"] if place.byok else []),
        file='"$(dirname "$(llm logs path)")/extra-openai-models.yaml"',
        then=f'Then `llm keys set gateway --value "{place.key}"` and `llm -m gateway "..."`.',
    )


def crush(place: Place) -> Snippet:
    anthropic = place.family == "anthropic"
    model = {"id": place.model, "name": place.model, "context_window": 200000, "default_max_tokens": 8192}
    provider: dict[str, object] = {
        "type": "anthropic" if anthropic else "openai",
        "base_url": place.base if anthropic else place.v1,
        "api_key": place.key,
        "models": [model],
    }
    if place.byok:
        provider["extra_headers"] = place.headers()
    then = "It reads the variables from the environment."
    return document({"providers": {"gateway": provider}}, "~/.config/crush/crush.json", then=then, expanded=True)
