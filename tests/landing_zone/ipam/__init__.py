"""A model of Amazon VPC IPAM, from AWS's documentation and users' evidence, without any protocol.

    model        IpamModel: dispatch, the VPC hooks, tags, the lock that makes it thread-safe
    ipams discoveries scopes pools cidrs allocations vpcs delegation tagging     the actions, one module per thing
    store        all the state, and how a thing is found (or not) by this caller through this Region's endpoint
    records      what is remembered of each thing
    resources    which VPCs of the organization IPAM shows, and when; imports: automatic import into pools
    agenda       asynchronous ends, settled from the clock on every call; there are no threads and no timers
    locks tokens pages requests addresses                    decisions that several actions share
    settings     how long things take, AWS's quotas
    faults       for tests: refuse, lose an answer, fail late, hang; by_hand: an operator deletes things meanwhile
    bench        for tests: a model with an IPAM in it; requests and answers are held against botocore's idea of EC2

Where AWS's answer is documented or has been seen, the model gives it, with AWS's code and words. Where it is not known,
the model takes the stricter of the plausible answers and says "unverified" there; tests of the product must not
rely on the code or the words of those.

Left out (asking for it raises NotImplementedError):
    DryRun; Cascade on DeleteIpam and DeleteIpamPool; EnablePrivateGua
    pools in the public scope, and what only they have (PubliclyAdvertisable, AwsService, PublicIpSource, ...)
    resource planning pools (SourceResource); provisioning IPv6; scopes under an external authority
    AllocateIpamPoolCidr's PreviewNextCidr, AllowedCidrs, DisallowedCidrs; CreateTags on an allocation
    ModifyIpamPool that adds an allocation tag whose key is there with another value (what AWS does is unverified)
    of what resource discovery finds, all but the IPv4 CIDRs of VPCs (so GetIpamResourceCidrs needs ResourceType=vpc);
    tags that a VPC gets later; CIDRs that a VPC loses; ModifyIpamResourceCidr's DestinationIpamScopeId; metrics;
    other discoveries than the one that comes with an IPAM

Source  https://docs.aws.amazon.com/vpc/latest/ipam/what-it-is-ipam.html
        https://docs.aws.amazon.com/AWSEC2/latest/APIReference/operation-list-ipam.html
"""

from landing_zone.ipam.model import IpamModel
from landing_zone.ipam.records import VpcAllocation
from landing_zone.ipam.settings import MutationLock, Quotas, Timings

__all__ = ["IpamModel", "MutationLock", "Quotas", "Timings", "VpcAllocation"]
