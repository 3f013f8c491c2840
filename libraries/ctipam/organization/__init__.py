"""AWS Organizations: where each account is, what its events mean, and what must be set up before anything else.

Called by `sharing` for the OU of an account, and by CloudFormation for Custom::OrganizationSetup.

    Pure:  `tree` has the data; `events` decides which accounts an event is about; `excluded_ous` decides which OUs
           IPAM shall not monitor
    AWS:   `reader` reads OUs and accounts; `setup` checks the organization and enables sharing and IPAM
"""
