"""A model of AWS RAM, as far as it shares IPAM pools with accounts of an organization, without any protocol.

    model      RamModel: dispatch, the actions, client tokens, what IPAM asks, the lock
    records    a share and its associations, and how they change with time
    requests   what the actions accept, and what is wrong with a request by itself
    pages      lists: what is seen, cut into pages, filtered
    settings   how long things take
    faults     for tests: refuse, lose an answer, fail late

What it promises, each with a test in tests/aws_models/tests/test_ram.py:

- A share belongs to one account and one Region. Names are not unique, and no error says that one exists already.
- What is shared is a pool, by its owner, who must be the organization's IPAM administrator, in the IPAM's home Region.
- A principal is an account id. One that RAM cannot reach through the organization is refused if the share admits no
  external principals; else it is invited, and stays ASSOCIATING for ever.
- Associations come and go asynchronously, and may end FAILED. A share is ACTIVE at once, and goes by way of DELETING.
- A page is cut before it is filtered, newest first, so an empty page may have a successor.

Where AWS's answer is not known, the model takes the stricter of the plausible ones and says "unverified" there.

Left out (asking for it raises NotImplementedError):
    principals other than account ids (organizations, OUs, roles, users); resources other than IPAM pools
    permissionArns (every pool gets its default permission), sources, resourceShareConfiguration, resourceRegionScope
    all other actions, those on invitations among them
Left out in silence: events, and quotas save 100 entities in one request. An account that leaves the organization loses
access; that its associations stay listed is unverified.

Source  https://docs.aws.amazon.com/ram/latest/APIReference/Welcome.html
        https://docs.aws.amazon.com/ram/latest/userguide/what-is.html
        https://docs.aws.amazon.com/vpc/latest/ipam/share-pool-ipam.html
"""

from aws_models.ram.model import RamModel
from aws_models.ram.settings import Timings

__all__ = ["RamModel", "Timings"]
