"""For every test: the same examples each time, and no work twice that has the same result each time."""

from __future__ import annotations

import functools
import os

import botocore.loaders
import botocore.session
from hypothesis import settings

# No time limit: a busy machine could miss it.
settings.register_profile("project", derandomize=True, deadline=None, database=None)
settings.load_profile("project")

# Each session would read AWS's models of its services again, and moto describe hundreds of machine images for each
# account: together, two thirds of the time of the tests in process.
botocore.session.create_loader = functools.cache(botocore.loaders.create_loader)
os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"
