"""`make report`, as people read it."""
