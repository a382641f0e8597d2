"""Short ways to say what the server is started with."""

from collections.abc import Mapping

from coderai.settings import Loaded, load

PREFIX = "CODER_AIBRIDGE_PROVIDER_"
FILES = dict[str, str]


def reader(files: FILES):
    def read_file(path: str) -> str:
        if path not in files:
            raise FileNotFoundError(2, "No such file or directory", path)
        return files[path]

    return read_file


def loaded(*flags: str, env: Mapping[str, str] | None = None, yaml: str | None = None, **files: str) -> Loaded:
    """Load with *yaml* as the configuration file, and *files* by name."""
    if yaml is not None:
        flags = ("--config", "config.yaml", *flags)
        files["config.yaml"] = yaml
    return load(flags, {"HOME": "/home/me", **(env or {})}, reader(files))


def indexed(*settings: str) -> dict[str, str]:
    """Return the environment for settings such as ``0_TYPE=openai``."""
    return {PREFIX + name: value for name, _, value in (setting.partition("=") for setting in settings)}
