"""The pools of the landing zone: the top-level pool, one for each Region, and in it one for each environment.

Called by CloudFormation for Custom::InitPools and Custom::Ipam, by `upkeep`, and by `commands`.

Pure:  `parameters` reads values, `spec` is what is wanted, `wanted` its tags and rules; `existing` the data of what
       exists, `record` what its tags tell of its CIDRs; `matching` pairs the two, `recognition` where tags are lost;
       `addresses` and `placement` find free CIDRs; `removals` and `changes` tell what is left to do, as `change_kinds`;
       `preconditions`, `surplus` and `room` refuse; `concurrency` decides how much to request at a time, `pace` when
       to look again, `late_failures` what becomes of failures; `environment_pools` tells environment pools from
       others; `reserved` decides what is kept from VPCs, and `overlaps` finds those that have their addresses from no
       pool
AWS:   `reader` reads our pools with CIDRs and allocations; `feasibility` reads what is in the way of a request, and
       refuses what cannot be done; `apply` makes one change; `rounds`, `reconcile` and `deletion` build, update and
       delete the pools, `reserving` reserves CIDRs in them; `existing_vpcs` warns of VPCs in their address space;
       `custom_resources` is what CloudFormation asks for
"""
