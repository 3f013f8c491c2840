"""The commands behind `make plan`, `make preflight`, `make preview`, `make deploy`, `make undo`, `make reconcile`,
`make report` and `make explain`.

They run on the user's machine and need only the standard library and ctipam; preflight, preview, explain, VPCS= and
RESERVE= (organization or ipam) also need boto3.

No zip contains them: packages/build.py takes libraries/ctipam only.
"""

import os
import signal
import sys

INTERRUPTED = 128 + signal.SIGINT
"""The exit code of a program that Ctrl-C ends."""

# Python sets this while it looks for the module of `python -m commands.plan`: until that runs, see program.run, Ctrl-C
# would print where an import was interrupted. https://docs.python.org/3/library/sys.html#sys.argv
if sys.argv[:1] == ["-m"]:
    signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
