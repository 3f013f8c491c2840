"""Answers CloudFormation. Called by both `index.py` files, which map each resource type to its functions.

Pure:  `request`
AWS:   `custom_resource` answers through crhelper; `own_stack` reads the state of the function's own stack
"""
