"""Pushes an image to a registry; what the registry has already is not sent again."""

from __future__ import annotations

from io import BytesIO
from urllib.parse import urlencode

from toolkit.images import credentials
from toolkit.images.failures import told
from toolkit.images.model import MANIFEST, Descriptor, Image, ImageError, Note, Opener
from toolkit.images.names import Name
from toolkit.images.transport import Answer, Connection, is_loopback


def push(image: Image, name: Name, tag: str, *, plain: bool, note: Note) -> str:
    """Pushes the image as `name` with `tag`; returns its name by digest. Raises ImageError.

    The manifest comes last: whoever pulls sees the image whole or not at all.
    """
    plain = plain or is_loopback(name.registry)
    found = Connection(name.registry, name.repository, plain, credentials.of(name.registry))
    with told(f"{name.registry}/{name.repository} cannot be pushed"):
        for layer in image.layers:
            _push_blob(found, layer.what, layer.descriptor, layer.open, note)
        _push_blob(found, "configuration", image.config_descriptor, lambda: BytesIO(image.config), note)
    _push_manifest(found, image, tag)
    return f"{name.registry}/{name.repository}@{image.descriptor.digest}"


def _push_manifest(found: Connection, image: Image, tag: str) -> None:
    length = len(image.manifest)
    answer = found.request("PUT", f"manifests/{tag}", lambda: BytesIO(image.manifest), length, MANIFEST)
    _expect(answer, (200, 201, 202), found, "the manifest")
    stored = answer.headers.get("docker-content-digest")
    if stored and stored != image.descriptor.digest:
        raise ImageError(f"{found.registry} stored the manifest as {stored}, not as {image.descriptor.digest}")


def _push_blob(found: Connection, what: str, blob: Descriptor, opener: Opener, note: Note) -> None:
    known = found.request("HEAD", f"blobs/{blob.digest}")
    if 200 <= known.status < 400:
        note(f"push: {what} is there already")
        return
    _expect(known, (404,), found, what)
    note(f"push: {what}, {blob.size:,} bytes")
    begun = found.request("POST", "blobs/uploads/")
    _expect(begun, (202,), found, what)
    place = begun.headers.get("location", "")
    if not place:
        raise ImageError(f"{found.registry} does not say where {what} may be uploaded to")
    mark = "&" if "?" in place else "?"
    url = f"{place}{mark}{urlencode({'digest': blob.digest})}"
    done = found.request("PUT", url, opener, blob.size, media_type="application/octet-stream")
    _expect(done, (201, 202, 204), found, what)


def _expect(answer: Answer, wanted: tuple[int, ...], found: Connection, what: str) -> None:
    if answer.status not in wanted:
        raise ImageError(f"{found.registry} does not take {what} of {found.repository}: {answer.told()}")
