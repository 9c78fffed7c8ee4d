"""What decides: devices, types, people, plans and lifecycles, as pure functions over plain values.

Belongs here: every rule of the product, reading like its specification. Does not belong here: Dagster, HTTP, SQL,
pandas, the clock, the environment. A rule that needs the time is given it.
"""
