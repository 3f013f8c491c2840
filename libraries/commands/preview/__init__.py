"""`make preview`: what an update would do."""
