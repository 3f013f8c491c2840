"""For every test: the same examples each time, and no time limit that a busy machine could miss."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("project", derandomize=True, deadline=None, database=None)
settings.load_profile("project")
