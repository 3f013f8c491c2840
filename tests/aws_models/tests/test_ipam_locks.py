"""Mutations of pools that exclude each other."""

from __future__ import annotations

import pytest

from aws_models.errors import AwsError
from aws_models.ipam import MutationLock
from aws_models.ipam.bench import WEST, Bench

WORDS = "There are too many concurrent mutations for the requested resource. Try again later."


class OrganizationTree(Bench):
    """Two top-level pools with CIDRs and without pending operations: one has two children, the other one."""

    def __init__(self, mutation_lock: MutationLock) -> None:
        super().__init__(mutation_lock=mutation_lock)
        self.top = self.pool("10.0.0.0/8")
        self.other_top = self.pool("172.16.0.0/12")
        self.child = self.pool("10.0.0.0/16", SourceIpamPoolId=self.top)
        self.sibling = self.pool("10.1.0.0/16", SourceIpamPoolId=self.top)
        self.cousin = self.pool("172.16.0.0/16", SourceIpamPoolId=self.other_top)

    def mutate(self, act: str, pool_id: str) -> None:
        if act == "create a child of":
            self.create_pool(SourceIpamPoolId=pool_id)
        elif act == "modify":
            self.ask("ModifyIpamPool", IpamPoolId=pool_id, Description="x")
        elif act == "provision":
            self.provision(pool_id, Cidr="10.2.0.0/16")
        elif act == "deprovision":
            self.deprovision(pool_id, self.cidrs(pool_id)[0]["Cidr"])
        elif act == "delete":
            self.ask("DeleteIpamPool", IpamPoolId=pool_id)


ACTS = ["modify", "provision", "deprovision"]


def refused(tree: OrganizationTree, act: str, pool_id: str) -> bool:
    """Return whether it is refused for concurrency. Raises AwsError for other refusals."""
    try:
        tree.mutate(act, pool_id)
    except AwsError as error:
        if (error.code, error.message, error.status) != ("ConcurrentMutationLimitExceeded", WORDS, 400):
            raise
        return True
    return False


@pytest.mark.parametrize("first", ACTS)
@pytest.mark.parametrize("second", ACTS)
def test_siblings_exclude_each_other_until_the_first_is_done(first: str, second: str) -> None:
    tree = OrganizationTree("parent")
    tree.mutate(first, tree.child)
    assert refused(tree, second, tree.sibling)

    tree.wait()

    assert not refused(tree, second, tree.sibling)


@pytest.mark.parametrize("first", ACTS)
def test_the_lock_is_held_exactly_as_long_as_the_state_is_in_progress(first: str) -> None:
    tree = OrganizationTree("parent")
    tree.mutate(first, tree.child)
    seconds = {"modify": 3, "provision": 5, "deprovision": 5}[first]

    tree.clock.advance(seconds - 0.1)
    assert refused(tree, "modify", tree.sibling)
    tree.clock.advance(0.1)
    assert not refused(tree, "modify", tree.sibling)


@pytest.mark.parametrize("act", ["create a child of", *ACTS])
def test_below_another_source_nothing_is_locked(act: str) -> None:
    tree = OrganizationTree("parent")
    tree.mutate("modify", tree.child)

    assert not refused(tree, act, tree.cousin)


def test_siblings_are_created_one_after_the_other() -> None:
    tree = OrganizationTree("parent")
    tree.mutate("create a child of", tree.top)

    assert refused(tree, "create a child of", tree.top)
    assert not refused(tree, "create a child of", tree.other_top)


def test_top_level_pools_exclude_each_other_within_their_scope() -> None:
    bench = Bench()
    scope = bench.ask("CreateIpamScope", IpamId=bench.ipam["IpamId"])["IpamScope"]["IpamScopeId"]
    bench.wait()
    bench.create_pool()
    with pytest.raises(AwsError) as refusal:
        bench.create_pool(Locale=WEST)
    assert refusal.value.code == "ConcurrentMutationLimitExceeded"

    bench.create_pool(IpamScopeId=scope)


def test_a_child_can_be_given_a_cidr_while_nothing_else_happens_below_its_source() -> None:
    tree = OrganizationTree("parent")
    tree.mutate("provision", tree.cousin)

    assert not refused(tree, "provision", tree.child)


def test_a_pool_excludes_itself() -> None:
    tree = OrganizationTree("parent")
    tree.mutate("provision", tree.child)

    for act in ("provision", "modify", "deprovision"):
        assert refused(tree, act, tree.child)


def test_deleting_locks_too() -> None:
    tree = OrganizationTree("parent")
    tree.mutate("deprovision", tree.child)
    tree.wait()
    tree.mutate("delete", tree.child)

    assert refused(tree, "modify", tree.sibling)
    tree.wait()
    assert not refused(tree, "modify", tree.sibling)


def test_with_a_lock_on_the_scope_any_two_pools_exclude_each_other() -> None:
    tree = OrganizationTree("scope")
    tree.mutate("modify", tree.child)

    assert refused(tree, "modify", tree.cousin)
    assert refused(tree, "create a child of", tree.other_top)


def test_without_a_lock_nothing_is_refused() -> None:
    tree = OrganizationTree("none")
    tree.mutate("modify", tree.child)

    for act in ("provision", "modify"):
        assert not refused(tree, act, tree.sibling)
    assert not refused(tree, "create a child of", tree.top)


def test_reading_and_allocating_are_never_locked() -> None:
    bench = Bench()
    leaf = bench.pool("10.0.0.0/8", Locale=WEST)
    bench.provision(leaf, Cidr="172.16.0.0/12")

    bench.ask("AllocateIpamPoolCidr", WEST, IpamPoolId=leaf, NetmaskLength=24)
    bench.make_vpc("vpc-1", WEST, Ipv4IpamPoolId=leaf, Ipv4NetmaskLength=24)
    bench.wait(1)

    assert len(bench.allocations(leaf, WEST)) == 2


def test_what_never_ends_is_locked_for_ever() -> None:
    tree = OrganizationTree("parent")
    tree.model.faults.hang_next("ProvisionIpamPoolCidr")
    tree.mutate("provision", tree.child)
    tree.wait(86_400)

    assert refused(tree, "modify", tree.sibling)
