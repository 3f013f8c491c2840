"""The IPAM of the Networking account. Called by CloudFormation for Custom::Ipam.

Pure:  `spec` is what a stack wants of IPAM; `cost_controls` is the part of it that limits the bill
AWS:   `ipams` finds, creates, changes and deletes the IPAM; `discovery` changes which OUs it monitors
"""
