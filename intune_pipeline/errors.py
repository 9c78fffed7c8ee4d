"""The root of the product's own errors: each message is one sentence for a person, saying what to do.

Belongs here: the two roots. Does not belong here: concrete errors, which live beside what raises them.
"""


class PipelineError(Exception):
    """The work failed; the message is one sentence for people. The command line exits with 1."""

    exit_status = 1


class WrongUseError(PipelineError):
    """Something was asked for that cannot be, or a setting is wrong. The command line exits with 2."""

    exit_status = 2
