"""The real AWS CLI with one change: its waiters poll twice a second instead of every 30 seconds.

    python -m landing_zone.impatient_cli cloudformation deploy ...

The CLI's own Python runs it. Tests of deployments use it; the demo uses the unchanged CLI.
"""

from __future__ import annotations

import sys
import time

LOOK_EVERY_S = 0.5


def main() -> int:
    from awscli.clidriver import main as cli  # type: ignore[import-not-found]  # only the CLI's own environment has it
    from botocore import waiter  # the CLI's own, too

    class ShortTime:
        @staticmethod
        def sleep(seconds: float) -> None:
            time.sleep(min(seconds, LOOK_EVERY_S))

    setattr(waiter, "time", ShortTime)  # noqa: B010 - a module that others use as well stays as it is
    return int(cli())


if __name__ == "__main__":
    sys.exit(main())
