"""The pools of each Region and environment. Called by CloudFormation for Custom::InitPools, and by `commands`.

Pure:  `spec` is what is wanted; `existing` the data of what is there; `addresses` finds free blocks; `changes`
       compares; `preconditions` refuses; `concurrency` decides how much to ask for at a time
AWS:   `reader` reads; `apply` makes one change; `reconcile` builds, updates and deletes the hierarchy;
       `utilization` measures the pools, called by a schedule
"""
