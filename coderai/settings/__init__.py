"""What the server runs with: flags, environment, YAML and defaults, and where each value came from."""

from coderai.settings.layers import Source
from coderai.settings.loader import Loaded, load
from coderai.settings.model import Settings
from coderai.settings.provider import BedrockConfig, ProviderConfig

__all__ = ["BedrockConfig", "Loaded", "ProviderConfig", "Settings", "Source", "load"]
