"""Transfers: data that travels through a store, and a small reference that travels in its place.

May live here: the stores (`file`, `redis`, `s3`), what a reference says, the settings, and what a function does with
them on its way out and in (`carrying`). May not: gRPC or HTTP; which edge carries what is the chain's word. A client
library is loaded by the store that needs it, when the first message does.
"""

from toolkit.sdk.transfers.settings import STORES as STORES
from toolkit.sdk.transfers.settings import Settings as Settings
from toolkit.sdk.transfers.store import Store as Store
from toolkit.sdk.transfers.store import TransferFailed as TransferFailed
from toolkit.sdk.transfers.stores import opened as opened
