"""Problems a user can mend: shown as one Vietnamese sentence, without a traceback."""


class ProblemError(RuntimeError):
    """Something is missing, busy or refused; the message says what to do."""
