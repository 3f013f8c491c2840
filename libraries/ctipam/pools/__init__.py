"""The pools of the landing zone: the top-level pool, one for each Region, and in it one for each environment.

Called by CloudFormation for Custom::InitPools and Custom::Ipam, by a schedule (`measurement`), and by `commands`.

Pure:  `spec` is what is wanted; `existing` the data of what exists; `addresses` finds free CIDRs; `changes` compares;
       `preconditions` refuses; `concurrency` decides how much to request at a time; `environment_pools` tells
       environment pools from others; `utilization` computes how full a pool is; `reserved` decides what is kept
       from VPCs; `overlaps` finds VPCs that have their addresses from no pool
AWS:   `listing` lists all pools; `reader` reads ours with CIDRs and allocations; `apply` makes one
       change; `reconcile` builds, updates and deletes the pools; `reserving` reserves CIDRs in them;
       `measurement` measures them; `watch` looks for what overlaps them
"""
