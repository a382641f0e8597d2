"""The scripted provider, and ``coderai demo``; the tests use the same provider."""
