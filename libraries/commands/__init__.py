"""What `make plan` and `make deploy` run, on the user's machine: the standard library and ctipam, nothing installed.

In no zip: packages/build.py takes libraries/ctipam only.
"""
