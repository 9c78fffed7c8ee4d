"""What a user would pick instead, each in a virtual environment of its own, made by ``set_up.sh`` from the registry.

The scripts here are run by those environments' Pythons and import nothing of this project.
"""
