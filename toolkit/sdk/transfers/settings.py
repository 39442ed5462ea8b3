"""Where stores are, and what a transfer needs: out of the chain's `store:` and the environment, which counts more.

May live here: names, reading, and what is wrong with them. May not: connections. Credentials come by the environment
alone; the wiring, which is printed, holds none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from urllib.parse import SplitResult, urlsplit

from toolkit.contract import Wiring

STORES = ("file", "redis", "s3")  # the transfers that need one
FOLDER = "folder"  # in the wiring's `store`: the folder of `file`
REDIS_URL = "REDIS_URL"
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
_CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "access_key_id",
    "AWS_SECRET_ACCESS_KEY": "secret_access_key",
    "AWS_SESSION_TOKEN": "session_token",
}
VARIABLES: Mapping[str, tuple[str, ...]] = {  # that a function gets with a transfer
    "file": (),
    "redis": (REDIS_URL,),
    "s3": (*_ENDPOINTS, *_REGIONS, *_CREDENTIALS),
}
STORE_KEYS = {"redis": ("redis",), "s3": ("s3", "bucket")}  # of the chain's `store:`, by what they are about
_LIBRARIES = {"redis": "redis", "s3": "obstore"}  # modules
REQUIREMENTS = {"redis": "redis>=6", "s3": "obstore>=0.9"}  # of an image


@dataclass(frozen=True, slots=True)
class Settings:
    """All that the stores of one function need. `credentials` are S3's, by the names its library has for them."""

    folder: str | None = None
    endpoint: str | None = field(default=None, repr=False)
    bucket: str | None = None
    region: str | None = None
    redis: str | None = field(default=None, repr=False)  # may hold a password
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)

    @staticmethod
    def of(store: Mapping[str, str], environment: Mapping[str, str]) -> Settings:
        return Settings(
            folder=store.get(FOLDER),
            endpoint=_first(environment, _ENDPOINTS) or store.get("s3") or None,
            bucket=store.get("bucket") or None,
            region=_first(environment, _REGIONS) or store.get("region") or None,
            redis=environment.get(REDIS_URL) or store.get("redis") or None,
            credentials={name: value for key, name in _CREDENTIALS.items() if (value := environment.get(key))},
        )


@dataclass(frozen=True, slots=True)
class Lack:
    """What a transfer lacks, and what to do about it."""

    why: str
    next_step: str


def used(wiring: Wiring) -> tuple[str, ...]:
    """The transfers by which a function sends or gets data, of those that need a store."""
    named = {*wiring.takes, *(edge.transfer for edge in wiring.outgoing)}
    return tuple(each for each in STORES if each in named)


def library_lack(transfer: str) -> Lack | None:
    """The library that this transfer needs and this environment has not."""
    module = _LIBRARIES.get(transfer)
    if module is None or find_spec(module) is not None:
        return None
    return Lack(f"transfer {transfer} needs the library {module}", f"pip install 'kn-bench[{transfer}]'")


def lack(transfer: str, settings: Settings) -> Lack | None:
    """What the settings lack for this transfer, or have wrong."""
    if transfer == "s3":
        return _lack_s3(settings)
    if transfer == "redis":
        return _lack_redis(settings)
    return None if settings.folder else Lack("transfer file has no folder", "use another transfer: redis, s3 or stream")


def secrets_told(store: Mapping[str, str]) -> Lack | None:
    """What in `store:` must not stand in a file: whatever of a URL may be a secret, wherever it stands in it."""
    for key in ("s3", "redis"):
        url = store.get(key, "")
        parsed = _split(url)
        if parsed is None or "@" in parsed.netloc or "?" in url or "#" in url:
            variable = REDIS_URL if key == "redis" else "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            why = f"store.{key} is more than scheme, host, port and path, which may hold a password"
            return Lack(why, f"take it out of the chain.yaml, and set {variable}")
    return None


def _lack_s3(settings: Settings) -> Lack | None:
    if not settings.bucket:
        return Lack("transfer s3 has no bucket", "name one in the chain.yaml: `store: {bucket: NAME}`; it has to exist")
    endpoint = _split(settings.endpoint or "https://s3")
    if endpoint is None or endpoint.scheme not in ("http", "https") or not endpoint.hostname:
        return Lack(
            "the endpoint of transfer s3 is no http:// or https:// URL", f"correct `store.s3` or {_ENDPOINTS[0]}"
        )
    if "@" in endpoint.netloc or endpoint.query or endpoint.fragment:
        return Lack(
            "the endpoint of transfer s3 is more than scheme, host, port and path",
            f"correct {_ENDPOINTS[0]}, and set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        )
    if not {"access_key_id", "secret_access_key"} <= set(settings.credentials):
        return Lack("transfer s3 has no credentials", "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    return None


def _lack_redis(settings: Settings) -> Lack | None:
    if not settings.redis:
        return Lack("transfer redis has no server", f"set {REDIS_URL}=redis://HOST:6379, or `store: {{redis: URL}}`")
    url = _split(settings.redis)
    if url is None or url.scheme not in ("redis", "rediss", "unix") or not (url.hostname or url.path):
        return Lack(
            "the server of transfer redis is no redis://, rediss:// or unix:// URL",
            f"correct {REDIS_URL} or `store.redis`",
        )
    return None


def _split(url: str) -> SplitResult | None:
    try:
        parsed = urlsplit(url)
        parsed.port  # noqa: B018 - read to have it checked
    except ValueError:
        return None
    return parsed


def _first(environment: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next((value for name in names if (value := environment.get(name))), None)
