"""The intercepting proxy: for tools whose base URL cannot be changed."""
