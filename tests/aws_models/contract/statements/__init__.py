"""The statements, group by group: reads first, then what makes little, what makes more, and what takes long."""

from aws_models.contract.statement import Group, Statement
from aws_models.contract.statements import last, one_pool, reads, sharing, two_pools, vpcs

GROUPS: tuple[Group, ...] = (reads.READS, one_pool.POOL, two_pools.POOLS, vpcs.VPCS, sharing.SHARING, last.LAST)

STATEMENTS: tuple[Statement, ...] = tuple(statement for group in GROUPS for statement in group.statements)
