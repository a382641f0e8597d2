"""``python -m coderai`` is the command ``coderai``."""

from coderai.cli.main import main

if __name__ == "__main__":
    main()
