"""The pools between two updates. Called by a schedule, every five minutes.

Pure:  `schedule` tells what a run has to do; `utilization` computes how full a pool is; `growth` and `growth_messages`
       decide what becomes of a pool that fills up; `drift` finds what somebody changed by hand
AWS:   `measurement` measures the pools; `growing` sees to those that fill up; `watch` looks for what overlaps and what
       was changed, and `mending` puts that right, in an invocation of its own
"""
