"""The commands behind `make plan`, `make preflight`, `make preview`, `make deploy`, `make undo`, `make reconcile`,
`make report` and `make explain`.

They run on the user's machine and need only the standard library and ctipam; preflight, preview, explain, undo, VPCS=
and RESERVE= (organization or ipam) also need boto3.

A command of one file stands here; one of several has a folder, whose __main__ reads its arguments. `existing_vpcs` is
behind VPCS= and RESERVE=. What several commands need stands here too.

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
