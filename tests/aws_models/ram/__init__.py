"""A model of AWS RAM, as far as it shares IPAM pools with accounts of an organization, without any protocol.

    model      RamModel: dispatch, the actions, client tokens, what IPAM asks, the lock
    records    a share and its associations, and how they change with time
    requests   what the actions accept, and what is wrong with a request by itself
    pages      lists: what is seen, cut into pages, filtered
    settings   how long things take
    faults     for tests: refuse, lose an answer, fail late

../README.md says what it promises and what is left out. Where AWS documents nothing, a function says so.

Source  https://docs.aws.amazon.com/ram/latest/APIReference/Welcome.html
        https://docs.aws.amazon.com/ram/latest/userguide/what-is.html
        https://docs.aws.amazon.com/vpc/latest/ipam/share-pool-ipam.html
"""

from aws_models.ram.model import RamModel
from aws_models.ram.settings import Timings

__all__ = ["RamModel", "Timings"]
