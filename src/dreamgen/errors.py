"""The exceptions of dreamgen, and the exit code of the command for each.

DreamgenError
├── SettingsError    2    a setting, name or option that is not valid
├── OutputError      2    a place that cannot be written: read-only, full, or used by another run
├── DataError        3    data that is missing, damaged or does not fit the model
├── DivergedError    4    training produced NaN or infinity
├── ModelFileError   5    a model folder or checkpoint that is damaged or not safe to load
└── Interrupted    130    training was stopped on request; what it had is saved
"""


class DreamgenError(Exception):
    """Base of every error that dreamgen raises on purpose; its text is one clear line."""

    exit_code = 1


class SettingsError(DreamgenError, ValueError):
    """A setting, a name or an option is not valid."""

    exit_code = 2


class OutputError(DreamgenError, OSError):
    """A file or folder cannot be written."""

    exit_code = 2


class DataError(DreamgenError, ValueError):
    """Data is missing, damaged, or does not fit the model."""

    exit_code = 3


class DivergedError(DreamgenError, ArithmeticError):
    """Training met NaN or infinity; the last good checkpoint is kept."""

    exit_code = 4


class ModelFileError(DreamgenError, ValueError):
    """A model folder or checkpoint is damaged, or not safe to load."""

    exit_code = 5


class Interrupted(DreamgenError):
    """Training was stopped on request; a checkpoint holds everything up to here."""

    exit_code = 130
