"""Where downloaded and decoded data is kept."""

from pathlib import Path


def cache_folder() -> Path:
    """The user's cache of data."""
    import pooch

    return Path(pooch.os_cache("dreamgen"))
