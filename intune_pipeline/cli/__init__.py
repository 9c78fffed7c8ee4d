"""The command line ``intune-pipeline``: one module per command group.

Belongs here: reading arguments, calling the other packages, printing for people and for machines (``--json``). Does not belong
here: rules, SQL, HTTP. Modules import the other packages inside their commands, so that ``--help`` answers at once.
"""
