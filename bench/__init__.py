"""How fast the product is, beside the floor and beside what else there is: ``python -m bench`` (``make bench``).

Belongs here: programs that measure and print. Does not belong here: tests; nothing fails because it was slow.
"""
