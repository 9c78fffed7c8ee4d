"""allwhere's database: its tables, their migrations, what is read from and written to them.

Belongs here: SQL. Does not belong here: deciding (``domain``), Microsoft (``microsoft``), Dagster (``orchestration``).
"""
