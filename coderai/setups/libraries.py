"""Libraries: a few lines of a program. They read the token from the environment."""

from coderai.setups.snippets import OWN_KEY, TOKEN, TOKEN_HEADER, Place, Snippet, lines, string


def anthropic_sdk(place: Place) -> Snippet:
    if not place.byok:
        arguments = f"base_url={string(place.base)}, auth_token={_python(TOKEN)}"
    else:
        arguments = f"base_url={string(place.base)}, api_key={_python(OWN_KEY)}, {_python_headers('default_headers')}"
    return lines("python", "import os", "", "import anthropic", "", f"client = anthropic.Anthropic({arguments})")


def openai_sdk(place: Place) -> Snippet:
    arguments = f"base_url={string(place.v1)}, api_key={_python(place.key)}"
    if place.byok:
        arguments += f", {_python_headers('default_headers')}"
    return lines("python", "import os", "", "import openai", "", f"client = openai.OpenAI({arguments})")


def langchain(place: Place) -> Snippet:
    anthropic = place.family == "anthropic"
    module, name = ("langchain_anthropic", "ChatAnthropic") if anthropic else ("langchain_openai", "ChatOpenAI")
    base = place.base if anthropic else place.v1
    arguments = f"model={string(place.model)}, base_url={string(base)}, api_key={_python(place.key)}"
    if place.byok:
        arguments += f", {_python_headers('default_headers')}"
    return lines("python", "import os", "", f"from {module} import {name}", "", f"model = {name}({arguments})")


def litellm(place: Place) -> Snippet:
    anthropic = place.family == "anthropic"
    return lines(
        "python",
        "import os",
        "",
        "import litellm",
        "",
        "answer = litellm.completion(",
        f"    model={string(f'{place.family}/{place.model}')},",
        f"    api_base={string(place.base if anthropic else place.v1)},",
        f"    api_key={_python(place.key)},",
        *([f"    {_python_headers('extra_headers')},"] if place.byok else []),
        '    messages=[{"role": "user", "content": "Hello"}],',
        ")",
    )


def ai_sdk(place: Place) -> Snippet:
    name = "createAnthropic" if place.family == "anthropic" else "createOpenAI"
    headers = f", headers: {{ {string(TOKEN_HEADER)}: {_javascript(TOKEN)} }}" if place.byok else ""
    options = f"baseURL: {string(place.v1)}, apiKey: {_javascript(place.key)}{headers}"
    return lines(
        "javascript",
        f'import {{ {name} }} from "@ai-sdk/{place.family}";',
        "",
        f"const gateway = {name}({{ {options} }});",
    )


def _python(placeholder: str) -> str:
    return f"os.environ[{string(placeholder[1:])}]"


def _javascript(placeholder: str) -> str:
    return f"process.env.{placeholder[1:]}"


def _python_headers(argument: str) -> str:
    return f"{argument}={{{string(TOKEN_HEADER)}: {_python(TOKEN)}}}"
