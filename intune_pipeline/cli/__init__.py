"""The command line ``intune-pipeline``: one module per command group.

Belongs here: reading arguments, calling the rooms, printing for people and for machines (``--json``). Does not belong
here: rules, SQL, HTTP. Modules import the rooms inside their commands, so that ``--help`` answers at once.
"""
