"""What `make plan`, `make deploy`, `make reconcile` and `make report` run, on the user's machine.

The standard library and ctipam do for all but VPCS=organization, which takes boto3.

In no zip: packages/build.py takes libraries/ctipam only.
"""
