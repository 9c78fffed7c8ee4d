"""What a tenant's run is made of, below the Dagster project that shows it.

Belongs here: a run's session with its lock and its line in the sync log, the steps that put Microsoft's answers, allwhere's
state and the domain's rules together, planning, failures, finding dead runs. Does not belong here: assets, schedules and
sensors, which call this. Nothing is imported here.
"""
