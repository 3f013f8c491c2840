"""Amazon VPC IPAM for AWS Control Tower: the logic of both Lambda functions.

Pure decisions: `plan`, `addresses`, `difference`, `refusals`, `turns`, `events`, `sharing_plan`, `outcomes`,
                `cost_controls`, `names`.
AWS:            `inventory`, `steps`, `pools`, `ipam`, `ipam_discovery`, `utilisation`; `organization`,
                `organization_setup`, `own_stack`, `networking_account`, `shares`, `sharing`; `sessions`.
Between them:   `custom_resource` answers CloudFormation, `waiting` keeps the time, `errors` says what went wrong,
                `logs` writes one line per decision.
"""

__version__ = "1.0.0"
