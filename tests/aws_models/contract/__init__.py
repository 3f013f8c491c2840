"""What AWS does, as statements that run on any AWS: on the models in every test run, on real accounts when asked.

python -m aws_models.contract.run dry=yes

statements   the statements, a module for each group, cheapest first
statement    what a statement is, and how it is judged
ground       the IPAM, scope, pools and shares that several statements use, made when first needed
aws          clients of the accounts, time, refusals
guard        the tag on everything that is made, the record of requests, and the fence around what is not ours
cleaning     find by tag, and delete
elsewhere    what no statement can settle, and how to look
run          the command for real accounts
"""
