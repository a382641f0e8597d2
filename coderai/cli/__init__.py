"""The command ``coderai``: one module per noun; all but ``server`` and ``demo`` are clients of the HTTP API."""
