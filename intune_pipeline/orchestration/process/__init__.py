"""How Dagster's processes behave on their machines: their storage, their priority, what they keep.

Belongs here: what would be configuration if Dagster had a setting for it; each workaround names the upstream issue it waits
for. Does not belong here: what a run does (``sync``). Nothing is imported here.
"""
