"""coderai: an open, self-hosted AI gateway. The map of this package is in CONTRIBUTING.md."""

__version__ = "0.1.0"
