"""A Control Tower landing zone on one machine, for the tests and for `make demo`.

The rules of the two services that no emulator has, IPAM and the sharing of its pools through RAM, are plain models
(`ipam`, `ram`). Thin adapters plug them into two engines: `on_moto` for handlers that run in this process, and
`on_ministack` for the real templates, zips and AWS CLI. Nothing here ships, and the Lambdas know nothing of it.
"""
