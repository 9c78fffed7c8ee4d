"""Makers' tables and rules: data only, read by ``catalogue``."""
