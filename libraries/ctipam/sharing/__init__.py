"""One RAM share for each account, with the pools of its OU.

Called by Lambda for events, the schedule and operators (`lifecycle`), and by CloudFormation for
Custom::ShareExistingAccounts (`existing_accounts`).

    Pure:  `spec` decides which pools an account is to have; `existing` has the data of its shares, and `unlisted`
           completes it by what RAM lists late; `changes` compares; `brake` decides whether pools may be taken away, and
           `doubtful` of which pools that cannot be said; `results` has the data of a run, and `result_log` logs it;
           `report_rows` is what an operator sees of pools and accounts; `notices` decides what somebody is told;
           `session_policy` limits the role
    AWS:   `run` starts a run and has its accounts and rules; `reader` reads pools and shares; `environment_ous` finds
           the OU of each environment; `places` reads where accounts are; `ownership` tells whose a share is, and
           deletes all shares; `apply` makes one change; `rounds` repeats that until no change is left; `reconcile` does
           it for an account, an OU or everybody; `report` reads what an operator wants to know; `notify` sends notices;
           `lifecycle` and `existing_accounts` answer their callers
"""
