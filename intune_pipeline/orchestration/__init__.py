"""The Dagster project: what runs when, for whom, and what people see of it.

Belongs here: assets, jobs, schedules, sensors, resources, checks, metadata, and deciding about runs. Does not belong
here: deciding about devices (``domain``), SQL (``inventory``), HTTP (``microsoft``). Nothing is imported here.
"""
