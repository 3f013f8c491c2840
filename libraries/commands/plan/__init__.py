"""`make plan`: what a first deployment would build, simulated and drawn."""
