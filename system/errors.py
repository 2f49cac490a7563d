"""The exceptions that mean: something that the user can mend."""


class UserError(Exception):
    """Shown as one line on standard error, without a traceback; exit status 2.

    Args:
        what: What it is about; the whole message where nothing else is given.
        expected: What was expected of it.
        received: What was received, and advice.
    """

    def __init__(self, what: object, expected: object = None, received: object = None):
        clause = (
            "" if expected is None else f": expected {expected}, received {received}"
        )
        super().__init__(f"{what}{clause}")

    def __str__(self) -> str:
        line = " ".join(super().__str__().split())
        return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)


class DamagedError(UserError):
    """What is left of an unfinished run cannot be read; starting anew replaces it."""

    def __init__(self, path: object, what: object):
        super().__init__(f"{path}: {what}; --overwrite starts anew")


class ChangedError(UserError):
    """Code, data or versions are not what a comparison was started with."""
