"""Clients of botocore and mocks of moto that are made quickly, for tests that make thousands.

moto registers each URL of each service, and describes hundreds of machine images for each account. No test needs them.
"""

from __future__ import annotations

import functools
import os
from typing import Any

import moto.core.models

from landing_zone import quick_botocore


def install() -> None:
    """Replace, in this process and for good, what makes clients and mocks."""
    os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"
    quick_botocore.install()
    mocks: Any = moto.core.models.MockAWS
    mocks.start = functools.partialmethod(mocks.start, reset=False)  # each ends without data
    moto.core.models.RESPONSES_METHODS = []  # botocore's requests are answered before they would reach a URL
