"""The data plane: one request in, one request to a provider, everything about it recorded."""
