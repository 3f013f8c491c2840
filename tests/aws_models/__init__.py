"""Strict models of Amazon VPC IPAM and AWS RAM, for tests that cannot have an AWS account.

    ipam           EC2's IPAM actions, and the addresses of VPCs
    ram            the sharing of IPAM pools between the accounts of an organization
    models         both, connected: an account sees the pools that RAM shares with it
    organization   what they need of AWS Organizations and of Control Tower
    protocol       requests and answers as botocore writes and reads them
    clients        plain boto3 clients that the models answer
    contract       what AWS does, as statements that run on the models and on real accounts
    clock          the time, which tests move
    errors faults  AWS's errors, and how tests order them

The package imports nothing of the product that it tests. README.md says what is modeled, what is left out, and where
the models are stricter than AWS on purpose.
"""
