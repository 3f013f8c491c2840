"""The fixtures of tests that run the scheduled function in this process, on pools that are already built."""

from in_process.built_pools import built, idle  # noqa: F401
from in_process.fixtures import *  # noqa: F403
