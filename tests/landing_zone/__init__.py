"""A Control Tower landing zone on one machine, for the tests and for `make demo`.

No emulator has IPAM or the sharing of its pools through RAM, so their rules are plain models (`aws_models`). Thin
adapters plug the models into two engines: `on_moto` runs handlers in this process, and `on_ministack` runs the real
templates, zips and AWS CLI. Nothing here ships, and the Lambda functions do not know of it.
"""
