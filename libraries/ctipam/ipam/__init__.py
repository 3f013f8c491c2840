"""The IPAM of the Networking account. Called by CloudFormation for Custom::Ipam.

Pure:  `spec` is what a stack wants of IPAM; `cost_controls` is the part of it that limits the bill; `existing` is the
       IPAM that exists; `preconditions` refuse; `changes` decides which changes are needed; `discovered` is what IPAM
       knows of VPCs and accounts; `trouble` is what is wrong with the IPAM itself
AWS:   `reader` reads; `reconcile` creates, changes and deletes the IPAM; `discovery` changes which OUs it monitors;
       `listing` lists all pools, and tells whose they are
"""
