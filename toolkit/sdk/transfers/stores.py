"""A store by the name of its transfer. May live here: which module has it, loaded when it is wanted."""

from __future__ import annotations

from pathlib import Path

from toolkit.sdk.transfers.settings import Settings, lack, library_lack
from toolkit.sdk.transfers.store import Store, TransferFailed


def opened(transfer: str, settings: Settings) -> Store:
    """The store of this transfer; nothing is connected yet. Raises TransferFailed (FAILED_PRECONDITION)."""
    if problem := library_lack(transfer) or lack(transfer, settings):
        raise TransferFailed("FAILED_PRECONDITION", transfer, "", f"{problem.why}; {problem.next_step}")
    if transfer == "s3":
        from toolkit.sdk.transfers.s3 import S3Store

        return S3Store(settings.bucket or "", settings.endpoint, settings.region, settings.credentials)
    if transfer == "redis":
        from toolkit.sdk.transfers.redis import RedisStore

        return RedisStore(settings.redis or "")
    from toolkit.sdk.transfers.file import FileStore

    return FileStore(Path(settings.folder or ""))
