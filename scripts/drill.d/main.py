"""Begins the drill. Servers are forked from a process that reads this file again, so there is nothing else in it."""

import sys

if __name__ == "__main__":
    from command import main

    sys.exit(main())
