"""The engine: ministack, in a process of its own, with the models of IPAM and RAM plugged in.

`server` is that process. ministack (https://pypi.org/project/ministack/) has no plug-in interface, so each module here
names what it replaces in it, and nothing happens before `server.install`. Modules here also correct behavior of
ministack that the real templates depend on, with a comment that says when the correction can go.

Left out: CloudTrail itself, StackSets that are not made by AWS::CloudFormation::StackSet or whose permissions are not
SELF_MANAGED, KMS grants on Lambda code, permission boundaries set by Control Tower.
"""
