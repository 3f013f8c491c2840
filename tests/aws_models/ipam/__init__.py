"""A model of Amazon VPC IPAM, from AWS's documentation and users' evidence, without any protocol.

    model        IpamModel: dispatch, the VPC hooks, tags, the lock that makes it thread-safe
    ipams discoveries scopes pools cidrs allocations vpcs delegation tagging     the actions, one module per thing
    store        all the state, and how a thing is found (or not) by this caller through this Region's endpoint
    records      what is remembered of each thing
    agenda       asynchronous ends, settled from the clock on every call; there are no threads and no timers
    locks tokens pages requests addresses                    decisions that several actions share
    settings     how long things take, AWS's quotas
    faults       for tests: refuse, lose an answer, fail late, hang; by_hand: an operator deletes things meanwhile
    bench        for tests: a model with an IPAM in it; requests and answers are held against botocore's idea of EC2

Where AWS documents nothing, a function says so; tests of the product must not rely on it. ../README.md says what is
left out.

Source  https://docs.aws.amazon.com/vpc/latest/ipam/what-it-is-ipam.html
        https://docs.aws.amazon.com/AWSEC2/latest/APIReference/operation-list-ipam.html
"""

from aws_models.ipam.model import IpamModel
from aws_models.ipam.records import VpcAllocation
from aws_models.ipam.settings import MutationLock, Quotas, Timings

__all__ = ["IpamModel", "MutationLock", "Quotas", "Timings", "VpcAllocation"]
