"""The commands behind `make plan`, `make preflight`, `make preview`, `make deploy`, `make undo`, `make reconcile`,
`make report` and `make explain`.

They run on the user's machine and need only the standard library and ctipam; preview, explain, VPCS= and RESERVE=
(organization or ipam) also need boto3.

No zip contains them: packages/build.py takes libraries/ctipam only.
"""
