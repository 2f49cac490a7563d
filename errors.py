"""The one exception that means: a mistake the user can mend."""


class UserError(Exception):
    """Shown as one line on standard error, without a traceback; exit status 2."""

    def __str__(self) -> str:
        line = " ".join(super().__str__().split())
        return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)
