"""The fixtures of tests that run handlers in this process."""

from in_process.fixtures import *  # noqa: F403
