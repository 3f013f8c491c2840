"""Writes the documents that are generated: `make docs`. A test compares them with what is committed.

templates/PARAMETERS.md       every parameter of the management account's template
libraries/commands/plan/plan.svg   the picture in the README
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from checkers.template_reader import read_template

ROOT = Path(__file__).parents[2]
TEMPLATE = "ipam-controltower-integration.template.yaml"
PICTURED = "plan FORMAT=svg"

HEAD = f"""# Parameters

The parameters of [`{TEMPLATE}`]({TEMPLATE}), in the order of the console. Only those without a default are required.
`make deploy` takes them by these names. `make docs` writes this page.
"""


def parameter_reference(template: Mapping[str, Any]) -> str:
    """Return a page with a table for each group of parameters."""
    interface = template["Metadata"]["AWS::CloudFormation::Interface"]
    tables = [
        [
            f"\n## {group['Label']['default']}\n",
            "| Parameter | Default | Description |",
            "|---|---|---|",
            *(_row(name, template["Parameters"][name]) for name in group["Parameters"]),
        ]
        for group in interface["ParameterGroups"]
    ]
    return HEAD + "\n".join(line for table in tables for line in table) + "\n"


def _row(name: str, parameter: Mapping[str, Any]) -> str:
    default = parameter.get("Default")
    shown = "required" if default is None else "empty" if default == "" else f"`{default}`"
    return f"| `{name}` | {shown} | {str(parameter['Description']).replace('|', '&#124;').strip()} |"


def documents() -> dict[Path, str]:
    """Return the content of each generated document."""
    template = read_template(ROOT / "templates" / TEMPLATE)
    command = ["make", "-s", *shlex.split(PICTURED), f"PYTHON={sys.executable}"]
    picture = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return {
        ROOT / "templates/PARAMETERS.md": parameter_reference(template),
        ROOT / "libraries/commands/plan/plan.svg": picture,
    }


if __name__ == "__main__":
    for path, content in documents().items():
        path.write_text(content, encoding="utf-8")
