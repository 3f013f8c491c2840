"""`make preflight`: is this organization ready for a deployment? Reads, and changes nothing.

    make preflight BUCKET=example-ipam-code NETWORK_ACCOUNT_ID=111122223333 REGIONS=us-west-2,us-east-1

    FORMAT=json               for programs: {"ready": true, "checks": [{"about", "result", "text"}, ...]}
    stack=ipam-controltower   the stack whose parameters apply where none is given

Takes the arguments of `make deploy`, and prints a line for each check: ✓, ! for a warning or for what could not be
read, ✗ for what would make the deployment fail or leave an environment without accounts. Exits with 1 if there is a ✗.
Uses the credentials of your AWS CLI. The permissions that it needs are in ../read-only-policy.json.
"""

from __future__ import annotations

from pathlib import Path

from commands import arguments, make_words, program
from commands.arguments import ROOT
from commands.preflight import text
from commands.preflight.checking import read_and_check
from commands.preflight.checks import is_ready


def main(root: Path = ROOT) -> int:
    words = make_words.read("preflight", arguments.known_names())
    given = arguments.read(words, arguments.template_parameters(root))
    output = arguments.output_format(given.options, "json")
    if output == "json":
        make_words.refuse_lines_of_make()
    arguments.stack_name(given.options)
    arguments.refuse_impossible(given.parameters, root)
    checks = read_and_check(given, root)
    with program.reader_may_stop():
        if output == "json":
            print(text.to_json(checks))
        else:
            text.show(checks)
    return 0 if is_ready(checks) else 1


if __name__ == "__main__":
    program.run(main, only_reads=True)
