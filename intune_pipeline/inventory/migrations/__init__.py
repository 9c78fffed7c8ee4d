"""Alembic's migrations of allwhere's database: one file per step in ``versions``, each written out in full."""
