"""The engine: ministack, in a process of its own, with the models of IPAM and RAM plugged in.

`server` is that process. ministack (https://pypi.org/project/ministack/) has no plug-in interface, so each module here
names what it replaces in it, and nothing happens before `server.install`. What ministack gets wrong and the real
templates depend on is put right here too, with a comment that says when that can go.

Left out: CloudTrail itself, StackSets outside AWS::CloudFormation::StackSet with SELF_MANAGED
permissions, KMS grants on Lambda code, permission boundaries set by Control Tower.
"""
