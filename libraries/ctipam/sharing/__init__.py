"""One RAM share for each account, with the pools of its OU.

Called by Lambda for events, the schedule and operators (`lifecycle`), and by CloudFormation for
Custom::ShareExistingAccounts (`existing_accounts`).

    Pure:  `spec` decides which pools an account is to have; `existing` has the data of its shares; `changes` compares;
           `results` has the data of a run, and `result_log` logs it; `session_policy` limits the role
    AWS:   `reader` reads pools and shares; `apply` makes one change;
           `reconcile` repeats that until no change is left; `lifecycle` and `existing_accounts` answer their callers
"""
