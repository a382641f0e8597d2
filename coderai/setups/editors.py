"""Editors and desktop applications: files where they have some, else what to type where."""

from coderai.setups.snippets import OWN_KEY, TOKEN, Place, Snippet, document, lines


def mux(place: Place) -> Snippet:
    provider = {"apiKey": TOKEN, "baseUrl": place.v1}
    return document({place.family: provider}, "~/.mux/providers.jsonc")


def vscode(place: Place) -> Snippet:
    model: dict[str, object] = {
        "name": f"{place.model} (AI Gateway)",
        "url": place.v1 + "/chat/completions",
        "toolCalling": True,
        "vision": True,
        "maxInputTokens": 128000,
        "maxOutputTokens": 16000,
        "requiresAPIKey": True,
    }
    then = "Part of settings.json. VS Code asks for the API key when the model is chosen: the gateway token."
    return document(
        {"github.copilot.chat.customOAIModels": {place.model: model}}, "VS Code: Open User Settings (JSON)", then=then
    )


def zed(place: Place) -> Snippet:
    anthropic = place.family == "anthropic"
    settings = {"api_url": place.base if anthropic else place.v1}
    variable = "ANTHROPIC_API_KEY" if anthropic else "OPENAI_API_KEY"
    then = f"Part of settings.json. Enter the gateway token as key in the agent's settings, or as {variable}."
    return document({"language_models": {place.family: settings}}, "~/.config/zed/settings.json", then=then)


def jetbrains(place: Place) -> Snippet:
    return lines(
        "text",
        "Settings > Tools > AI Assistant > Models & API keys > Third-party AI providers",
        "Provider: OpenAI-compatible",
        f"URL: {place.v1}",
        f"API key: {TOKEN}",
    )


def roo_code(place: Place) -> Snippet:
    anthropic = place.family == "anthropic"
    return lines(
        "text",
        "Roo Code > Settings > Providers",
        f"API provider: {'Anthropic, with a custom base URL' if anthropic else 'OpenAI Compatible'}",
        f"Base URL: {place.base if anthropic else place.v1}",
        f"API key: {OWN_KEY if place.byok else TOKEN}",
        *(f"Custom header: {name}: {value}" for name, value in place.headers().items()),
        f"Model: {place.model}",
    )


def cursor(place: Place) -> Snippet:
    return lines(
        "text",
        "Cursor Settings > Models > API Keys",
        f"OpenAI API key: {TOKEN}",
        f"Override OpenAI base URL: {place.v1}",
        then="Cursor calls from its own servers: this address must be reachable from the internet. It sends requests of"
        " a form of its own to the Chat route, which providers refuse for some models.",
    )


def coder_agents(place: Place) -> Snippet:
    shape = "Anthropic" if place.family == "anthropic" else "OpenAI"
    named = place.family == "openai" and place.provider != "openai"
    return lines(
        "text",
        "Admin settings > AI providers > Add provider",
        f"Type: {'OpenAI Compatible' if named else shape}",
        f"Base URL: {place.base if place.family == 'anthropic' else place.v1}",
        f"API key: {TOKEN}",
        then="Take a service account's token: coderai users create -u coder-agents --service-account, then"
        " coderai tokens create --user coder-agents --delegate",
    )
