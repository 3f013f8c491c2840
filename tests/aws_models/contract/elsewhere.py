"""What no statement settles: a landing zone or the management account is needed, or more time or pools."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Question:
    """What is not known, and how to look.

    settles   functions of the models that say "unverified" of this
    """

    asks: str
    look: str
    settles: tuple[str, ...] = ()


LANDING_ZONE = (
    Question(
        "Which events does a move of an account to another OU cause, if Control Tower enrolls accounts by itself?",
        "Send everything of source aws.controltower and aws.organizations to a log group, and move an account.",
    ),
    Question(
        "Does the registration of an OU cause an event for each account in it?",
        "With the same rule, register an OU that holds two accounts.",
    ),
    Question(
        "What is in the event of an account whose creation or update failed?",
        "With the same rule, enroll an account from which AWSControlTowerExecution has been deleted.",
    ),
    Question(
        "How much of AWS's limit on packed session policies does that of sharing take?",
        "In CloudTrail, AssumeRole with the session name share-ipam-pools: packedPolicySize, in percent.",
    ),
    Question(
        "Does Control Tower send its events without a CloudTrail trail?",
        "Where the landing zone has no trail, update an account and look for UpdateManagedAccount.",
    ),
    Question(
        "What do ListLandingZones and GetLandingZone answer outside the home Region and outside the partition aws, and "
        "from version 4.0 on?",
        "aws controltower list-landingzones in two Regions; get-landingzone: where are the governed Regions?",
        ("organization.Organization.landing_zones",),
    ),
    Question(
        "Does a list of IPAMs or pools ever show no tags, although they have some?",
        "aws ec2 describe-ipam-pools, many times and right after other calls: look for pools without Tags.",
        ("ipam.faults.Faults.list_without_tags",),
    ),
    Question(
        "What is said to a second naming of the same IPAM administrator, and to an account that may not name one?",
        "aws ec2 enable-ipam-organization-admin-account, from the management account twice, and from a member.",
        (
            "ipam.delegation.enable_ipam_organization_admin_account",
            "ipam.delegation._require_management_account",
        ),
    ),
    Question(
        "What is said to an exclusion of OUs that is malformed, twice there, overlapping, or asked for by others?",
        "aws ec2 modify-ipam-resource-discovery with such paths, as the IPAM administrator and in another account.",
        (
            "ipam.discoveries.modify_ipam_resource_discovery",
            "ipam.discoveries._check_integration",
            "ipam.discoveries._check_change",
            "ipam.discoveries._check_result",
        ),
    ),
    Question(
        "Is an account of an excluded OU refused addresses of a shared pool, and a new account, for how long?",
        "aws ec2 create-vpc from the pool, in an account of such an OU, and in an account that was just created.",
        ("ipam.discoveries.check_monitored",),
    ),
    Question(
        "When can the charge for active addresses be moved between accounts, and what is said when it cannot?",
        "aws ec2 modify-ipam --metered-account, as the IPAM administrator, on the first day and on the second.",
        ("ipam.ipams._check_metered_account",),
    ),
    Question(
        "Do associations stay listed when an account leaves the organization?",
        "aws ram get-resource-share-associations after the removal of an account that a share names.",
    ),
    Question(
        "How long does RAM refuse shares after sharing with the organization was switched on?",
        "Switch it on, and create a share with a member every ten seconds.",
    ),
    Question(
        "What do the lists of an OU answer that was deleted a moment ago?",
        "aws organizations list-accounts-for-parent and list-organizational-units-for-parent, with its id.",
    ),
    Question(
        "What does DescribeStacks answer to a StackName that no stack can have, such as 'old stack'?",
        "aws cloudformation describe-stacks: the code, and the words about stackName.",
    ),
    Question(
        "Does DescribeAccount show the path of an account's OUs in every partition?",
        "aws organizations describe-account in AWS GovCloud (US).",
    ),
    Question(
        "Which boto3 has Lambda's Python in this Region?",
        "Print boto3.__version__ in a function.",
    ),
)

NOT_TRIED = (
    Question(
        "What is said to the 51st pool of a scope, and to a pool on the 11th level?",
        "Create them: an hour of creations and deletions.",
        ("ipam.pools._check_quotas",),
    ),
    Question(
        "How long does RAM remember a clientToken?",
        "Repeat a request with its token after an hour, after a day.",
        ("ram.settings.Timings",),
    ),
    Question(
        "When is a share PENDING or FAILED, and what can be done with it then?",
        "Nobody has said how to get there; look at the status of shares that make trouble.",
        ("ram.model.RamModel._begin_share",),
    ),
    Question(
        "What does an association that FAILED keep, and can it be ended?",
        "Look at one that made trouble: can the account use the pool, and what is DisassociateResourceShare answered?",
    ),
    Question(
        "What isolates an IPAM or a pool, what restores it, and what can be done with it meanwhile?",
        "Nobody has said how to get there; look at the State of pools that make trouble.",
        ("ipam.model.IpamModel.set_state",),
    ),
    Question(
        "How many requests a second does RAM accept?",
        "The product needs few; look at ThrottlingException in CloudTrail after a reconciliation of many accounts.",
    ),
    Question(
        "After how long does GetIpamResourceCidrs list a VPC, and are AWS/IPAM's percentages from 0 to 1 or to 100?",
        "Keep an IPAM and a VPC for a day, and look every quarter of an hour.",
    ),
    Question(
        "Which VPCs does a pool with AutoImport import, and what becomes of those without the pool's tag?",
        "Keep such a pool for a day, beside VPCs with and without the tag, inside its CIDR and across its border.",
        ("ipam.imports", "ipam.pools._wanted_auto_import"),
    ),
    Question(
        "What does ModifyIpamResourceCidr do with the VPC of a closed account, and how are failing accounts shown?",
        "Close an account that has a VPC from a pool; look at both lists for a week.",
        ("ipam.resources.modify_ipam_resource_cidr", "ipam.resources.get_ipam_discovered_accounts"),
    ),
    Question(
        "In which words is a value refused?",
        "The request ids of the differences above lead to some; nothing may depend on the others.",
        ("ipam.requests.invalid",),
    ),
)

QUESTIONS = LANDING_ZONE + NOT_TRIED
