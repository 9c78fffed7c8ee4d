"""``python -m intune_pipeline.cli``: the same as ``intune-pipeline``."""

from intune_pipeline.cli.main import main

main()
