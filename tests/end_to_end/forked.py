"""What a process of the program runs that was forked from one in which everything is imported already.

Importing takes a second of processor time, hundreds of times in a run of the tests. The fork happens before any loop or
thread; environment, arguments and streams are those of a process of its own.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection

import coderai.cli.hosting
import coderai.cli.server
import coderai.server  # noqa: F401 - so that nothing is left to import
from coderai.cli.main import build, main

build()


def command(arguments: Sequence[str], environment: Mapping[str, str], out: Connection, err: Connection) -> None:
    """Be ``coderai`` with these arguments; what it writes goes to *out* and *err*."""
    os.environ.clear()
    os.environ.update(environment)
    for number, end in ((1, out), (2, err)):
        os.dup2(end.fileno(), number)
    out.close()
    err.close()
    sys.stdout = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115 - for as long as the process lasts
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    main(arguments)
