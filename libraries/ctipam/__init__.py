"""Amazon VPC IPAM for AWS Control Tower: the logic of all Lambda functions, in six wings.

Each uses only those above it:

    cloudformation   answers CloudFormation: custom resources, and the state of the function's own stack
    ipam             finds or creates the IPAM
    pools            builds the pools
    upkeep           measures the pools on a schedule, lets them grow, and puts right what somebody changed
    organization     reads AWS Organizations, understands its events, and sets the organization up
    sharing          shares the pools with accounts

In the wings, `spec` is what is wanted, `existing` is what exists, and `changes` decides the difference.
`preconditions` refuse a request before anything changes. A `reader` reads, `apply` makes one change, and `reconcile`
repeats all of this until nothing is left to change. The docstring of each wing says which modules are pure: they import
no AWS library.

Used by all:

    Pure:  `names`, `environment_names`, `tags`, `client_tokens`, `errors`, `findings`, `metrics`, `logs`, `messages`,
           `phrases`, `settings`, `waiting`, `invocation`
    AWS:   `sessions`, `networking_account`
"""

__version__ = "1.0.0"
