"""The one exception that means: a mistake the user can mend."""


class UserError(Exception):
    """Shown as one line on standard error, without a traceback; exit status 2."""
