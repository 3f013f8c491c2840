"""One RAM share for each account, with the pools of its OU.

Called by Lambda for events, the schedule and operators (`lifecycle`), and by CloudFormation for
Custom::ShareExistingAccounts (`existing_accounts`).

    Pure:  `spec` decides which pools an account is to have; `existing` is the data of what it has; `changes` compares;
           `results` is what a run reports
    AWS:   `networking_account` assumes the role there; `apply` reads and changes shares; `reconcile` repeats that until
           nothing is left to change; `lifecycle` and `existing_accounts` answer their callers
"""
