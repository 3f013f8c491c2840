"""Amazon VPC IPAM for AWS Control Tower: the logic of both Lambda functions.

Pure decisions: `plan`, `addresses`, `difference`, `events`, `sharing_plan`, `outcomes`, `names`.
AWS:            `ipam`, `pools`, `organization`, `organization_setup`, `own_stack`, `shares`, `sessions`.
Between them:   `custom_resource` answers CloudFormation, `waiting` keeps the time, `logs` writes one line per decision.
"""

__version__ = "1.0.0"
