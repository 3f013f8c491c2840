"""AWS Organizations: where each account is, what its events request, and what a deployment needs.

Called by `sharing` for the OU of an account, and by CloudFormation for Custom::OrganizationSetup.

    Pure:  `tree` has the data; `environments` decides which OU an environment is; `events` decides what an event
           requests; `excluded_ous` decides which OUs IPAM does not monitor; `monitoring` decides whether it monitors
           any; `preconditions` decides what the setup refuses and warns of; `session_policies` limits the role
    AWS:   `reader` reads OUs and accounts; `deployments` finds other deployments, and what the Networking account warns
           of; `leftover_stack_set` removes what a force-deleted stack has left; `setup` checks the organization and
           enables sharing and IPAM
"""
