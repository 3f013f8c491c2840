"""`make preview` against the update itself, in generated landing zones: what it says is what the update then does."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, cast

from botocore.exceptions import ClientError
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from commands import arguments
from commands.preview.changes import AccountDifference, Difference, account_differences, environments_after
from commands.preview.reading import PoolsForecast, Update, as_properties, foresee_pools
from commands.reading import pool_arn
from ctipam import waiting
from ctipam.cloudformation.own_stack import OwnStack
from ctipam.errors import Refused
from ctipam.ipam.cost_controls import LEAVE
from ctipam.sessions import Account
from ctipam.sharing import reader, reconcile
from ctipam.sharing.brake import Brake
from ctipam.sharing.reader import FoundPools
from ctipam.sharing.run import SharingRun
from ctipam.sharing.spec import Environments, Rules
from in_process.sharing_world import Api, SharingWorld
from landing_zone.direct_stack import HOME, MANAGEMENT, NETWORKING, DirectStack

DEFAULTS = arguments.template_defaults()
OUS = {"ou-ab12-aaaaaaaa": "a", "ou-ab12-bbbbbbbb": "b", "ou-ab12-cccccccc": "c"}
MANAGEMENT_STACK = f"arn:aws:cloudformation:{HOME}:{MANAGEMENT}:stack/ipam/1"

Parameters = Mapping[str, str]
State = dict[str, dict[str, set[str]]]


class LandingZone(SharingWorld):
    """A Networking stack, the accounts of an organization, and their shares, on the same models."""

    def __init__(self, stack: DirectStack, places: Mapping[str, str]) -> None:
        self.stack = stack
        self.clock, self.models = stack.clock, stack.models
        self.ous = dict(OUS)
        self.places = {account_id: ("ACTIVE", ou_id) for account_id, ou_id in places.items()}
        self.before = lambda: None
        organization = self.models.organization
        organization.members = lambda: {MANAGEMENT, NETWORKING, *self.places}
        organization.ram_sharing_enabled = True
        organization.delegated_administrators["ipam.amazonaws.com"] = NETWORKING

    def apply(self, kind: str, parameters: Parameters) -> str:
        """Create or update the stack's resources and the shares; return why that failed."""
        properties = as_properties(parameters)
        for resource in ("Ipam", "InitPools"):
            answer = self.stack.ask(kind, resource, properties)
            if answer["Status"] == "FAILED":
                return str(answer["Reason"])
            self.stack.scope_id = answer["Data"].get("ScopeId", self.stack.scope_id)
        self.stack.end_operation()
        found = reader.find_pools(cast(Account, self.stack.account))
        result = reconcile.reconcile_all(self.sharing_run(found.environments))
        assert not result.held_back
        self.clock.advance(60)
        return ""

    def sharing_run(self, environments: Environments, *, dry_run: bool = False) -> SharingRun:
        networking = cast(Account, Networking(self))
        management = cast(Account, Api(self))
        rules = Rules(frozenset({MANAGEMENT, NETWORKING}))
        stack, deadline = OwnStack(management, MANAGEMENT_STACK), waiting.Deadline(lambda: 900.0)
        listed = reader.find_pools(cast(Account, self.stack.account)).listed
        pools = FoundPools(environments, listed=listed)
        return SharingRun(management, networking, pools, rules, stack, deadline, Brake(10), dry_run)

    def foresee(self, old: Parameters, new: Parameters) -> tuple[PoolsForecast, tuple[AccountDifference, ...]]:
        networking = cast(Account, self.stack.account)
        asked = Update(
            "ipam", MANAGEMENT_STACK, self.stack.stack_id, old, new, networking_exists=True, added=frozenset()
        )
        forecast = foresee_pools(networking, asked, LEAVE)
        environments = environments_after(forecast.after, pool_arn(networking))
        result = reconcile.reconcile_all(self.sharing_run(environments, dry_run=True))
        accounts = account_differences(result.accounts, forecast.names(networking))
        return forecast, accounts

    def state(self) -> State:
        """Return the CIDRs of each pool, and those reserved in it, by the name that a preview gives it."""
        ids = {name.replace(" ", "/"): pool_id for name, pool_id in self.stack.pool_ids().items()}
        ids["the top-level pool"] = self.stack.top_pool_id
        return {
            name: {"CIDR": {*self.stack.cidrs(pool_id).split(",")} - {""}, "reserved": self.reserved(name, pool_id)}
            for name, pool_id in ids.items()
        }

    def reserved(self, name: str, pool_id: str) -> set[str]:
        region, _, environment = name.partition("/")
        if not environment:
            return set()
        rows = self.stack.ec2_in(region).get_ipam_pool_allocations(IpamPoolId=pool_id)["IpamPoolAllocations"]
        return {row["Cidr"] for row in rows if row["ResourceType"] == "custom"}

    def shared(self) -> dict[str, list[str]]:
        """Return the names of the pools of each account that has a share."""
        names = {pool_id: name.replace(" ", "/") for name, pool_id in self.stack.pool_ids().items()}
        question = {"resourceOwner": "SELF", "resourceShareStatus": "ACTIVE"}
        found = {}
        for share in self.ram("GetResourceShares", **question)["resourceShares"]:
            asked = {"resourceShareArns": [share["resourceShareArn"]], "associationStatus": "ASSOCIATED"}
            rows = self.ram("GetResourceShareAssociations", associationType="RESOURCE", **asked)
            ids = [row["associatedEntity"].rpartition("/")[2] for row in rows["resourceShareAssociations"]]
            found[share["name"].removeprefix("ipamShare-")] = sorted(names.get(pool_id, pool_id) for pool_id in ids)
        return found


class Networking(Api):
    account_id = NETWORKING

    def ec2(self, region: str | None = None) -> Any:
        return cast(Any, self._world).stack.account.ec2(region)


def after(before: State, differences: tuple[Difference, ...]) -> State:
    """Return the state of the pools after what the preview says."""
    found = {name: {what: {*cidrs} for what, cidrs in of_pool.items()} for name, of_pool in before.items()}
    for one in differences:
        if one.action == "remove":
            assert found.pop(one.name)["CIDR"] == {*one.cidrs}
            continue
        of_pool = found.setdefault(one.name, {"CIDR": {*one.cidrs}, "reserved": set()})
        for change in one.changes:
            if change.what in of_pool:
                of_pool[change.what] = of_pool[change.what] - {change.before} | ({change.after} - {""})
    return found


def shared_after(before: Mapping[str, list[str]], accounts: tuple[AccountDifference, ...]) -> dict[str, list[str]]:
    found = {account_id: {*pools} for account_id, pools in before.items()}
    for one in accounts:
        found[one.account_id] = found.get(one.account_id, set()) - {*one.loses} | {*one.gains}
    return {account_id: sorted(pools) for account_id, pools in found.items() if pools}


def some(values: tuple[str, ...]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), min_size=1, unique=True)


@st.composite
def parameters_of_pools(draw: st.DrawFn) -> dict[str, str]:
    """Return parameters that name only pools that they declare. They may still be refused."""
    regions, environments = draw(some(("us-west-2", "us-east-1", "eu-west-1"))), draw(some(("a", "b", "c")))
    sizes = [
        "",
        f"{environments[0]}=20+21",
        f"{regions[0]}=18+18",
        f"{regions[0]}=17,{regions[-1]}/{environments[-1]}=19",
    ]
    return {
        "TopLevelPoolCidr": draw(
            st.sampled_from(["10.0.0.0/16,10.4.0.0/16", "10.0.0.0/16", "10.4.0.0/16,10.0.0.0/16"])
        ),
        "RegionSelection": ",".join(regions),
        "AccEnvName": ",".join(environments),
        "PoolSizes": draw(st.sampled_from(sizes)),
        "ReservedCidrs": draw(st.sampled_from(["", "10.0.0.0/20,10.0.48.0/21", "10.4.16.0/22"])),
        "VpcMinNetmaskLength": draw(st.sampled_from(["16", "20"])),
        "IpamPoolQuota": draw(st.sampled_from(["50", "50", "50", "9"])),
    }


FIXED = DEFAULTS | {"NetworkAccountId": NETWORKING, "IpamPoolPrefixLength": "18", "AccPoolPrefixLength": "20"}


@st.composite
def updates(draw: st.DrawFn) -> tuple[dict[str, str], dict[str, str]]:
    """Return the parameters of a deployment and of an update of it, which often changes only a few."""
    old, other = draw(parameters_of_pools()), draw(parameters_of_pools())
    lists = ("RegionSelection", "AccEnvName", "PoolSizes")  # PoolSizes has names of the others
    kept = draw(st.sampled_from([(), lists, ("TopLevelPoolCidr", "ReservedCidrs"), ("TopLevelPoolCidr", *lists)]))
    return FIXED | old | {"IpamPoolQuota": "50"}, FIXED | other | {name: old[name] for name in kept}


places = st.dictionaries(
    st.sampled_from(["333333333333", "444444444444", "012345678901"]), st.sampled_from([*OUS, ""]), min_size=1
)
by_hand = st.sets(st.sampled_from(["vpc", "pool", "rule", "block", "allocation", "move"]), min_size=1, max_size=2).map(
    sorted
)


def change_by_hand(world: LandingZone, what: str) -> None:
    """Do what people do beside the stack."""
    stack, ids = world.stack, world.stack.pool_ids()
    name = max((name for name in ids if " " in name), default="")
    match what if name else "":
        case "vpc":
            stack.make_vpc(*name.split(" "))
        case "pool":
            stack.models.ipam.delete_by_hand(ids[name])
        case "rule":
            stack.ec2.modify_ipam_pool(IpamPoolId=ids[name], Description="by hand")
        case "block":
            with suppress(ClientError):  # there may be no room
                stack.ec2.provision_ipam_pool_cidr(IpamPoolId=ids[name], NetmaskLength=22)
        case "allocation":
            region = name.partition(" ")[0]
            with suppress(ClientError):
                stack.ec2_in(region).allocate_ipam_pool_cidr(IpamPoolId=ids[region], NetmaskLength=21)
        case "move":
            world.places |= dict.fromkeys(list(world.places)[:1], ("ACTIVE", "ou-ab12-aaaaaaaa"))
    stack.clock.advance(300)


@settings(max_examples=15, phases=[Phase.generate])
@given(places=places, update=updates(), hands=by_hand)
def test_what_a_preview_says_is_what_the_update_does(
    places: dict[str, str], update: tuple[dict[str, str], dict[str, str]], hands: list[str]
) -> None:
    old, new = update
    stack = DirectStack(page_size=100)  # the accounts' clients read one page
    with stack.running():
        world = LandingZone(stack, places)
        assume(not world.apply("Create", old))
        for what in hands:
            change_by_hand(world, what)
        pools, shared = world.state(), world.shared()
        refused = ""
        try:
            forecast, accounts = world.foresee(old, new)
        except Refused as refusal:
            refused = str(refusal)
        if not Update("", "", "", old, new, networking_exists=False, added=frozenset()).parameters:
            return  # CloudFormation asks nobody
        assert world.apply("Update", new) == refused
        assert world.state() == (pools if refused else after(pools, forecast.planned))
        assert world.shared() == (shared if refused else shared_after(shared, accounts))


def test_a_preview_of_pools_that_shrink_shows_the_cidrs_that_they_get() -> None:
    """The first of three blocks that is given back makes room for all that is wanted, before the others are."""
    old = FIXED | {"TopLevelPoolCidr": "10.0.0.0/16", "RegionSelection": "us-west-2", "AccEnvName": "a,b,c"}
    new = old | {"AccEnvName": "a,b,c,d", "AccPoolPrefixLength": "21"}
    stack = DirectStack(page_size=100)
    with stack.running():
        world = LandingZone(stack, {})
        assert not world.apply("Create", old)
        pools = world.state()
        forecast, _ = world.foresee(old, new)

        assert not world.apply("Update", new)
        assert world.state() == after(pools, forecast.planned)
