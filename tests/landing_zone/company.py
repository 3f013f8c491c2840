"""The company that the demo and the end-to-end tests deploy to."""

from __future__ import annotations

from typing import Any

HOME_REGION = "us-east-1"
MANAGEMENT, NETWORKING = "111111111111", "222222222222"
APPS = "333333333333"
"""An account that was there before this solution, in SDLC OU."""
SHOP = "012345678901"
"""An account that Account Factory makes later, in Prod OU; its id begins with a zero."""

ORGANIZATIONAL_UNITS: list[dict[str, Any]] = [
    {"name": "Infrastructure", "accounts": [{"id": NETWORKING, "name": "networking"}]},
    {"name": "Prod OU"},
    {"name": "SDLC OU", "accounts": [{"id": APPS, "name": "apps"}]},
    {"name": "Sandbox"},
]

BUCKET = "example-ipam-code"
STACK = "ipam-controltower"
