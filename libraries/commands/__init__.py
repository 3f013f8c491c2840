"""The commands behind `make plan`, `make preflight`, `make deploy`, `make undo`, `make reconcile` and `make report`.

They run on the user's machine and need only the standard library and ctipam; VPCS=organization also needs boto3.

No zip contains them: packages/build.py takes libraries/ctipam only.
"""
