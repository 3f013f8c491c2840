"""`make explain`: why an account has its pools, who uses a pool, where a VPC has its addresses from. Changes nothing.

    make explain account=111122223333
    make explain pool=ipam-pool-0123456789abcdef0     or pool=us-west-2, or pool='us-west-2/Prod OU'
    make explain vpc=vpc-0123456789abcdef0

    stack=ipam-controltower                           the name of the stack

Uses credentials of the management account, in Control Tower's home Region. The permissions that it needs are in
../read-only-policy.json.
"""

from __future__ import annotations

import re
import shutil

from commands import make_words, program, reading, stack_options, terminal
from commands.arguments import STACK
from commands.explain import reading as explain_reading
from commands.explain.text import WIDTH, of_account, of_pool, of_vpc
from commands.stack_state import UPDATABLE
from ctipam.errors import Refused
from ctipam.sharing.report_rows import nothing_watches

SUBJECTS = ("account", "pool", "vpc")


def main() -> int:
    options = stack_options.read("explain", make_words.read("explain", stack_options.KNOWN["explain"]))
    about = [name for name in SUBJECTS if options.get(name)]
    if len(about) != 1:
        raise Refused("Give one of account=111122223333, pool=ipam-pool-..., pool='us-west-2/Prod OU' and vpc=vpc-...")
    subject = options[about[0]]
    stack_options.account_id(options)
    if about == ["vpc"] and not re.fullmatch("vpc-[0-9a-f]+", subject):
        raise Refused(f"vpc={subject} is not a VPC's id; give one, for example vpc-0123456789abcdef0.")
    with terminal.progress() as progress, reading.errors_in_words():
        progress("the stack")
        deployment = explain_reading.find_deployment(reading.management_account(), options.get("stack", STACK))
        width = min(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns)
        if about == ["account"]:
            lines = of_account(explain_reading.read_account(deployment, subject, progress), width)
        elif about == ["pool"]:
            lines = of_pool(explain_reading.read_pool(deployment, subject, progress), width)
        else:
            lines = of_vpc(explain_reading.read_vpc(deployment, subject, progress), width)
    stack = deployment.stack
    if not UPDATABLE.fullmatch(stack.status):
        print(f"Stack {stack.name} is {stack.status}: what follows may change, and may lack what is gone already.\n")
    there = deployment.networking_stack
    if unwatched := nothing_watches(there.status if there else "", stack.name):
        print(f"{unwatched}\n")
    terminal.show(lines)
    return 0


if __name__ == "__main__":
    program.run(main, only_reads=True, only_prints=True)
