"""AWS Organizations: where each account is, what its events request, and what a deployment needs.

Called by `sharing` for the OU of an account, and by CloudFormation for Custom::OrganizationSetup.

    Pure:  `tree` has the data; `events` decides what an event requests; `excluded_ous` decides which OUs IPAM does not
           monitor; `preconditions` decides what the setup refuses and warns of
    AWS:   `reader` reads OUs and accounts; `setup` checks the organization and enables sharing and IPAM
"""
