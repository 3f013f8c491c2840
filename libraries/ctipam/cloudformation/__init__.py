"""Answers CloudFormation. Called by both `index.py` files, which map each resource type to its functions.

Pure:  `request` is what CloudFormation asks for, and decides whether it still waits for the answer; `latecomers` waits
       for the last changes of an earlier request; `leftovers` writes the messages about what a deletion has left
       behind and what an update had to keep; `outputs` cuts text to what an output holds; `described` reads
       a stack that DescribeStacks returns
AWS:   `custom_resource` answers through crhelper; `deletion` deletes as far as possible and reports what is left;
       `own_stack` reads the stack that the function belongs to; `other_stacks` reads other stacks, and whether
       one can still act
"""
