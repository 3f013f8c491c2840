"""CreateIpamPool, ModifyIpamPool, DeleteIpamPool, DescribeIpamPools.

Source  https://docs.aws.amazon.com/vpc/latest/ipam/create-top-ipam.html
        https://docs.aws.amazon.com/vpc/latest/ipam/create-reg-ipam.html
"""

from __future__ import annotations

from functools import partial
from typing import Any

from aws_models.errors import AwsError
from aws_models.ipam.locks import require_unlocked
from aws_models.ipam.pages import Attributes, filtered, page
from aws_models.ipam.records import NO_LOCALE, Ipam, Pool, Rules, Scope
from aws_models.ipam.requests import (
    Call,
    asks_for,
    check_tags,
    invalid,
    listed_tags,
    netmask_length,
    one_of,
    pairs,
    tags_of,
)
from aws_models.ipam.store import (
    Store,
    begin,
    dependency_violation,
    incorrect_state,
    leave_lists,
    may_use,
    no_pool,
    own_pool,
    own_scope,
)
from aws_models.ipam.tokens import once

FILTERS = "owner-id ipam-scope-id locale description address-family ipam-scope-type ipam-pool-id tag:"

NETMASK_LENGTHS = ("AllocationMinNetmaskLength", "AllocationMaxNetmaskLength", "AllocationDefaultNetmaskLength")

MODIFICATIONS = (
    "Description",
    "AutoImport",
    *NETMASK_LENGTHS,
    "ClearAllocationDefaultNetmaskLength",
    "AddAllocationResourceTags",
    "RemoveAllocationResourceTags",
)


def create_ipam_pool(store: Store, call: Call) -> dict[str, Any]:
    return {"IpamPool": described(store, once(store, call, lambda: _create(store, call)))}


def _create(store: Store, call: Call) -> Pool:
    scope = own_scope(store, call, call.params["IpamScopeId"])
    ipam = store.ipams[scope.ipam_id]
    if scope.type == "public":
        raise NotImplementedError("CreateIpamPool in a public scope")
    source_id = call.params.get("SourceIpamPoolId")
    source = own_pool(store, call, source_id) if source_id else None
    pool = _drafted(call, scope, source)
    check_locale(ipam, source, pool.locale)
    _check_quotas(store, scope, pool)
    for thing in filter(None, (ipam, scope, source)):
        if not thing.ready:
            raise incorrect_state(thing.id, thing.state)
    require_unlocked(store, pool.scope_id, pool.source_pool_id)
    pool.id, pool.imports_since = store.ids.new("ipam-pool"), store.agenda.now
    pool.known_from = store.agenda.now + store.timings.known
    store.pools[pool.id] = pool
    begin(store, call, pool, "create", store.timings.pool_create)
    return pool


def _drafted(call: Call, scope: Scope, source: Pool | None) -> Pool:
    """The pool as asked for, without an id; only what its scope, its source and its own request say is checked."""
    family = one_of(call, "AddressFamily", ("ipv4", "ipv6"))
    if source and source.scope_id != scope.id:
        raise invalid("SourceIpamPoolId", source.id, f"It is not in scope {scope.id}.")
    if source and source.family != family:
        raise invalid("AddressFamily", family, f"The source pool's is {source.family}.")
    return Pool(
        id="",
        owner=scope.owner,
        tags=tags_of(call, "ipam-pool"),
        ipam_id=scope.ipam_id,
        scope_id=scope.id,
        source_pool_id=source.id if source else None,
        depth=source.depth + 1 if source else 1,
        locale=call.params.get("Locale") or NO_LOCALE,
        family=family,
        description=call.params.get("Description"),
        rules=wanted_rules(call, Rules(), family),
        required_tags=_checked(pairs(call.params.get("AllocationResourceTags", ()))),
        auto_import=_wanted_auto_import(call, call.params.get("Locale") or NO_LOCALE, False),
    )


def _checked(required: dict[str, str]) -> dict[str, str]:
    """Return the tags. Raise AwsError for those that no resource can have."""
    check_tags(required)
    return required


def _wanted_auto_import(call: Call, locale: str, old: bool) -> bool:
    """https://docs.aws.amazon.com/vpc/latest/ipam/create-top-ipam.html; the code is unverified."""
    wanted = bool(call.params.get("AutoImport", old))
    if wanted and locale == NO_LOCALE:
        raise invalid("AutoImport", wanted, "A pool without a locale imports nothing.")
    return wanted


def check_locale(ipam: Ipam, source: Pool | None, locale: str) -> None:
    """Raises AwsError (the rules are AWS's; the code for a Region that is not in use is unverified).

    A source pool's locale must be passed on explicitly: whether AWS lets an omitted one inherit is unverified.

    Source  https://github.com/tfstack/terraform-aws-ipam, examples/multi-account/FINDINGS.md, for another locale
    """
    usable = set(ipam.operating_regions) - ipam.coming_regions
    if ipam.tier == "free":
        usable &= {ipam.region}
    if locale not in usable and (locale != NO_LOCALE or ipam.tier == "free"):
        raise invalid("Locale", locale, f"It must be one of the IPAM's operating Regions {sorted(usable)}.")
    if source and source.locale not in (NO_LOCALE, locale):
        words = f"has a locale {source.locale} with a different region from input locale {locale}"
        raise AwsError("InvalidParameterCombination", f"sourcePoolId {source.id} {words}")


def _check_quotas(store: Store, scope: Scope, pool: Pool) -> None:
    """The codes and words are unverified."""
    quotas = store.quotas
    if pool.depth > quotas.pool_depth:
        raise AwsError("ResourceLimitExceeded", f"You are limited to a pool depth of {quotas.pool_depth}.")
    if len(store.pools_in(scope)) >= quotas.pools_per_scope:
        raise AwsError("ResourceLimitExceeded", f"You are limited to {quotas.pools_per_scope} ipam pools per scope.")


def wanted_rules(call: Call, old: Rules, family: str) -> Rules:
    """The allocation rules after this request.

    Source  https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateIpamPool.html
    """
    if family == "ipv6" and (asked := [name for name in NETMASK_LENGTHS if asks_for(call.params, name)]):
        raise NotImplementedError(f"{call.action} of an IPv6 pool: {', '.join(asked)}")
    smallest, largest, default = (netmask_length(call, name) for name in NETMASK_LENGTHS)
    clear = call.params.get("ClearAllocationDefaultNetmaskLength", False)
    if clear and default is not None:
        raise AwsError("InvalidParameterCombination", "Set or clear the default netmask length, not both.")
    rules = Rules(
        smallest=old.smallest if smallest is None else smallest,
        largest=old.largest if largest is None else largest,
        default=None if clear else old.default if default is None else default,
    )
    _check_rules(rules)
    return rules


def _check_rules(rules: Rules) -> None:
    if rules.smallest is not None and rules.largest is not None and rules.smallest >= rules.largest:
        raise invalid("AllocationMinNetmaskLength", rules.smallest, "It must be less than the maximum netmask length.")
    below = rules.default is not None and rules.smallest is not None and rules.default < rules.smallest
    above = rules.default is not None and rules.largest is not None and rules.default > rules.largest
    if below or above:
        remedy = "It must be between the minimum and the maximum netmask length."
        raise invalid("AllocationDefaultNetmaskLength", rules.default, remedy)


def modify_ipam_pool(store: Store, call: Call) -> dict[str, Any]:
    pool = own_pool(store, call, call.params["IpamPoolId"])
    if not any(asks_for(call.params, name) for name in MODIFICATIONS):
        raise AwsError("InvalidParameterCombination", "The request must contain a modification to the ipam pool")
    rules = wanted_rules(call, pool.rules, pool.family)
    required_tags = _wanted_required_tags(call, pool.required_tags)
    auto_import = _wanted_auto_import(call, pool.locale, pool.auto_import)
    if not pool.ready and pool.state != "modify-failed":
        raise incorrect_state(pool.id, pool.state)
    require_unlocked(store, pool.scope_id, pool.source_pool_id)
    pool.rules, pool.required_tags = rules, required_tags
    if auto_import and not pool.auto_import:
        pool.imports_since = store.agenda.now
    pool.auto_import = auto_import
    pool.description = call.params.get("Description", pool.description)
    begin(store, call, pool, "modify", store.timings.pool_modify)
    return {"IpamPool": described(store, pool, with_tags=False)}


def _wanted_required_tags(call: Call, old: dict[str, str]) -> dict[str, str]:
    added = pairs(call.params.get("AddAllocationResourceTags", ()))
    removed = pairs(call.params.get("RemoveAllocationResourceTags", ()))
    if absent := removed.items() - old.items():
        raise invalid("RemoveAllocationResourceTags", sorted(absent), "The pool does not require it.")
    kept = {key: value for key, value in old.items() if key not in removed}
    if changed := sorted(key for key in added.keys() & kept.keys() if added[key] != kept[key]):
        raise NotImplementedError(f"ModifyIpamPool: AddAllocationResourceTags with a new value of {', '.join(changed)}")
    return _checked(kept | added)


def delete_ipam_pool(store: Store, call: Call) -> dict[str, Any]:
    pool = own_pool(store, call, call.params["IpamPoolId"])
    if pool.in_progress:
        raise incorrect_state(pool.id, pool.state)
    if any(row.held for row in store.cidrs_of(pool)):
        raise dependency_violation(pool.id, "There are one or more pool cidrs provisioned in the pool.")
    if store.children_of(pool):  # the words are unverified
        raise dependency_violation(pool.id, "There are one or more pools that have it as their source.")
    require_unlocked(store, pool.scope_id, pool.source_pool_id)

    leave = partial(leave_lists, store, pool, store.timings.deleted_pool_listed)
    begin(store, call, pool, "delete", store.timings.pool_delete, leave)
    return {"IpamPool": described(store, pool, with_tags=False)}


def describe_ipam_pools(store: Store, call: Call) -> dict[str, Any]:
    seen = {pool.id: pool for pool in store.pools.values() if _sees(store, call, pool)}
    for pool_id in (asked := call.params.get("IpamPoolIds") or list(seen)):
        if pool_id not in seen:
            raise no_pool(pool_id)
    pools = filtered(call, FILTERS, [seen[pool_id] for pool_id in asked], lambda pool: _attributes(store, call, pool))

    with_tags = not store.faults.leaves_tags_out(call)

    def shown(pool: Pool) -> dict[str, Any]:
        return described(store, pool, with_tags) if _owns(call, pool) else described_to_others(store, pool)

    return page(call, pools, lambda pool: pool.id, shown, "IpamPools", store.page_size)


def _sees(store: Store, call: Call, pool: Pool) -> bool:
    """The owner in the home Region sees all; elsewhere, and for those it is shared with, the locale counts too.

    Source  https://docs.aws.amazon.com/vpc/latest/ipam/create-reg-ipam.html; the owner's view elsewhere is unverified
    """
    return store.lists(pool) and may_use(pool, call) and call.caller.region in (store.ipam_of(pool).region, pool.locale)


def _owns(call: Call, pool: Pool) -> bool:
    return pool.owner == call.caller.account_id


def _attributes(store: Store, call: Call, pool: Pool) -> Attributes:
    tags = store.shown_tags(pool) if _owns(call, pool) else {}
    return {
        "owner-id": pool.owner,
        "ipam-scope-id": pool.scope_id,
        "locale": pool.locale,
        "description": pool.description,
        "address-family": pool.family,
        "ipam-scope-type": store.scopes[pool.scope_id].type,
        "ipam-pool-id": pool.id,
    } | {f"tag:{key}": value for key, value in tags.items()}


def described(store: Store, pool: Pool, with_tags: bool = True) -> dict[str, Any]:
    required = {"AllocationResourceTags": listed_tags(pool.required_tags)} if pool.required_tags else {}
    return (
        described_to_others(store, pool)
        | required
        | ({"Tags": listed_tags(store.shown_tags(pool))} if with_tags else {})
    )


def described_to_others(store: Store, pool: Pool) -> dict[str, Any]:
    """Without Tags and AllocationResourceTags: whether AWS shows them to whom a pool is shared with is unverified.

    There is no scope id and no Region in it: those are IpamScopeArn's tail, and Locale.
    """
    ipam, scope = store.ipam_of(pool), store.scopes[pool.scope_id]
    optional = {
        "SourceIpamPoolId": pool.source_pool_id,
        "Description": pool.description,
        "StateMessage": pool.state_message or None,
        "AllocationMinNetmaskLength": pool.rules.smallest,
        "AllocationMaxNetmaskLength": pool.rules.largest,
        "AllocationDefaultNetmaskLength": pool.rules.default,
    }
    return {
        "OwnerId": pool.owner,
        "IpamPoolId": pool.id,
        "IpamPoolArn": pool.arn,
        "IpamScopeArn": scope.arn,
        "IpamScopeType": scope.type,
        "IpamArn": ipam.arn,
        "IpamRegion": ipam.region,  # the home Region, not the locale
        "Locale": pool.locale,
        "PoolDepth": pool.depth,
        "State": pool.state,
        "AutoImport": pool.auto_import,
        "AddressFamily": pool.family,
        **{name: value for name, value in optional.items() if value is not None},
    }
