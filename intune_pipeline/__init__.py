"""intune_pipeline: Microsoft Intune managed devices into allwhere's asset inventory.

The packages: ``domain`` decides, ``microsoft`` talks to Entra and Graph, ``inventory`` keeps allwhere's database,
``orchestration`` is the Dagster project, ``portal`` the customers' page, ``sandbox`` a Microsoft cloud for demos and
tests, ``cli`` the command line. Nothing is imported here, so that starting a command stays cheap.
"""
