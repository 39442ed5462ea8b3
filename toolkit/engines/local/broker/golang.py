"""The habits of Go's standard library that show on Knative's wire: times, URLs, media types, numbers, sniffing.

May live here: pure functions from bytes to bytes that do what the named Go function does (Go 1.26). Nothing of
CloudEvents. Values are bytes, as in a header. A refusal is a ValueError.
"""

from __future__ import annotations

import re
from functools import lru_cache

_SPACES = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"  # noqa: S105  # RFC 9110's token


def trim_space(value: bytes) -> bytes:
    """strings.TrimSpace: Unicode's white space, which is not Python's."""
    if value.isascii():
        return value.strip(b"\t\n\v\f\r ")
    return value.decode("utf-8", "surrogateescape").strip(_SPACES).encode("utf-8", "surrogateescape")


# --- time ------------------------------------------------------------------------------------------------------------

_TIME = re.compile(rb"(\d{4})-(\d\d)-(\d\d)T(\d{1,2}):(\d\d):(\d\d)(?:[.,](\d+))?(?:Z|([+-])(\d\d):(\d\d))", re.ASCII)
_MONTH_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def utc_time(value: bytes) -> bytes | None:
    """time.Parse(time.RFC3339Nano) and back in UTC; None for the zero time (year 1), which counts as no time."""
    found = _TIME.fullmatch(value)
    if found is None:
        raise ValueError(f"cannot parse {value!r} as RFC 3339")
    year, month, day, hour, minute, second = map(int, found.groups()[:6])
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if not 1 <= month <= 12 or not 1 <= day <= _MONTH_DAYS[month - 1] + (leap and month == 2):
        raise ValueError(f"{value!r}: day out of range")
    if hour > 23 or minute > 59 or second > 59:
        raise ValueError(f"{value!r}: time out of range")
    nanos = (found[7] or b"")[:9].rstrip(b"0")
    if found[8] is not None:
        hours, minutes = int(found[9]), int(found[10])
        if hours > 24 or minutes > 60:  # so Go says: some people do write them
            raise ValueError(f"{value!r}: time zone offset out of range")
        shift = hours * 60 + minutes
        days, left = divmod(hour * 60 + minute + (-shift if found[8] == b"+" else shift), 1440)
        hour, minute = divmod(left, 60)
        year, month, day = _civil(_days(year, month, day) + days)
    if (year, month, day, hour, minute, second) == (1, 1, 1, 0, 0, 0) and not nanos:
        return None
    text = b"%04d-%02d-%02dT%02d:%02d:%02d" % (year, month, day, hour, minute, second)
    return text + (b"." + nanos if nanos else b"") + b"Z"


def _days(year: int, month: int, day: int) -> int:
    """Days since 0000-03-01 of the proleptic Gregorian calendar."""
    year -= month <= 2
    era, of_era = divmod(year, 400)
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year


def _civil(days: int) -> tuple[int, int, int]:
    era, of_era = divmod(days, 146097)
    year = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    shifted = (5 * of_year + 2) // 153
    month = shifted + (3 if shifted < 10 else -9)
    return year + era * 400 + (month <= 2), month, of_year - (153 * shifted + 2) // 5 + 1


# --- numbers ---------------------------------------------------------------------------------------------------------

_FLOAT = re.compile(
    r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|0x(?:[\da-f]+\.?[\da-f]*|\.[\da-f]+)p[+-]?\d+|inf(?:inity)?|nan)",
    re.IGNORECASE | re.ASCII,
)


def to_int32(value: bytes) -> int:
    """CloudEvents' types.ToInteger of a string: strconv.ParseFloat, checked for range, truncated."""
    text = value.decode("latin-1")
    if not _FLOAT.fullmatch(text):
        raise ValueError(f"{text!r} is not a number")
    number = float.fromhex(text) if "x" in text.lower() else float(text)
    if number != number:
        return -(2**31)  # int32(NaN) on amd64
    if not -(2**31) <= number <= 2**31 - 1:
        raise ValueError(f"{text!r} is out of range")
    return int(number)


# --- net/url ---------------------------------------------------------------------------------------------------------

_ALNUM = frozenset(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_.~")
_PLAIN = {  # what net/url.shouldEscape leaves alone, by place
    "path": _ALNUM | frozenset(b"$&+,/:;=@"),
    "fragment": _ALNUM | frozenset(b"$&+,/:;=?@!()*"),
    "user": _ALNUM | frozenset(b"$&+,;="),
    "host": _ALNUM | frozenset(b"!$&'()*+,;=:[]<>\""),
}
_ALSO_VALID = frozenset(b"!$&'()*+,;=:@[]%")  # net/url.validEncoded
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_PORT = re.compile(rb"(?::\d*)?")


@lru_cache(maxsize=4096)
def rewrite_url(value: bytes) -> bytes:
    """url.Parse and URL.String: what Go makes of a URI reference that it takes in and writes out again."""
    return _parse_url(value)[1]


@lru_cache(maxsize=4096)
def is_absolute_url(value: bytes) -> bool:
    """url.Parse and URL.IsAbs."""
    return bool(_parse_url(value)[0])


def _parse_url(value: bytes) -> tuple[bytes, bytes]:
    """Scheme and the whole, as Go would write it."""
    value, _, fragment = value.partition(b"#")
    if any(byte < 0x20 or byte == 0x7F for byte in value):
        raise ValueError("invalid control character in URL")
    scheme, rest = _scheme(value)
    text = scheme + b":" if scheme else b""
    query = b""
    if rest.endswith(b"?") and rest.count(b"?") == 1:
        rest, query = rest[:-1], b"?"
    elif b"?" in rest:
        rest, _, asked = rest.partition(b"?")
        query = b"?" + asked if asked else b""
    if scheme and not rest.startswith(b"/"):
        text += rest  # opaque: urn:, mailto:
    else:
        text += _hierarchy(scheme, rest)
    text += query
    if fragment:
        text += b"#" + _written(fragment, "fragment")
    return scheme, text


def _scheme(value: bytes) -> tuple[bytes, bytes]:
    found = re.match(rb"[A-Za-z][A-Za-z0-9+.\-]*:", value)
    if found:
        return found[0][:-1].lower(), value[found.end() :]
    if value.startswith(b":"):
        raise ValueError("missing protocol scheme")
    return b"", value


def _hierarchy(scheme: bytes, rest: bytes) -> bytes:
    if not rest.startswith(b"/") and b":" in rest.partition(b"/")[0]:
        raise ValueError("first path segment in URL cannot contain colon")
    if not rest.startswith(b"//") or (not scheme and rest.startswith(b"///")):
        return _written(rest, "path") if rest else b""
    authority, slash, path = rest[2:].partition(b"/")
    user, at, host = authority.rpartition(b"@")
    text = _host(host)
    path = _written(slash + path, "path") if slash else b""
    if at:
        return b"//" + _user(user) + b"@" + text + path
    return b"//" + text + path if text or path else b""


def _host(host: bytes) -> bytes:
    if host.startswith(b"["):
        inner, bracket, port = host.rpartition(b"]")
        if not bracket:
            raise ValueError("missing ']' in host")
        if b"%25" not in inner and not re.fullmatch(rb"\[[0-9A-Fa-f:.]+", inner):
            raise ValueError("invalid IPv6 address in host")
    else:
        port = b"".join(host.partition(b":")[1:])
    if not _PORT.fullmatch(port):
        raise ValueError(f"invalid port {port!r} after host")
    plain = _unescape(host)
    if any(byte < 0x80 and byte not in _PLAIN["host"] for byte in host if byte != 0x25):
        raise ValueError("invalid character in host name")
    return _escape(plain, "host")


def _user(user: bytes) -> bytes:
    if not re.fullmatch(rb"[A-Za-z0-9\-._:~!$&'()*+,;=%@]*", user):
        raise ValueError("invalid userinfo")
    name, colon, password = user.partition(b":")
    return _escape(_unescape(name), "user") + colon + (_escape(_unescape(password), "user") if colon else b"")


def _written(raw: bytes, place: str) -> bytes:
    """EscapedPath, EscapedFragment: the raw form if it is a valid one, else escaped anew."""
    plain = _unescape(raw)
    if all(byte in _ALSO_VALID or byte in _PLAIN[place] for byte in raw):
        return raw
    return _escape(plain, place)


def _escape(value: bytes, place: str) -> bytes:
    plain = _PLAIN[place]
    return b"".join(bytes((byte,)) if byte in plain else b"%%%02X" % byte for byte in value)


def _unescape(value: bytes) -> bytes:
    if b"%" not in value:
        return value
    if _ESCAPE.sub(b"", value).count(b"%"):
        raise ValueError(f"invalid URL escape in {value!r}")
    return _ESCAPE.sub(lambda found: bytes.fromhex(found[1].decode()), value)


def valid_request_target(target: str) -> bool:
    """url.ParseRequestURI, as net/http calls it before any handler: else it answers 400 by itself."""
    if target == "*":
        return True
    try:
        raw = target.encode("latin-1")
        if raw.startswith(b"/"):
            return bool(_unescape(raw.partition(b"?")[0]))
        return bool(_parse_url(raw)[0])
    except ValueError:
        return False


# --- mime ------------------------------------------------------------------------------------------------------------

_MEDIA_TYPE = re.compile(rf"({_TOKEN}(?:/{_TOKEN})?)", re.ASCII)
_PARAMETER = re.compile(rf'\s*;\s*({_TOKEN})=({_TOKEN}|"(?:[^"\\\r\n]|\\.)*")\s*', re.ASCII)


@lru_cache(maxsize=1024)
def media_type(value: bytes) -> bytes:
    """mime.ParseMediaType: type/subtype in lower case; raises ValueError also for a bad parameter."""
    text = value.decode("utf-8", "surrogateescape")
    base, semicolon, rest = text.partition(";")
    base = base.strip(_SPACES)
    if not _MEDIA_TYPE.fullmatch(base):
        raise ValueError(f"{text!r} is no media type")
    rest = semicolon + rest
    names: set[str] = set()
    while rest.strip(_SPACES) not in ("", ";"):
        found = _PARAMETER.match(rest)
        if found is None or found[1].lower() in names:
            raise ValueError(f"{text!r}: invalid media parameter")
        names.add(found[1].lower())
        rest = rest[found.end() :]
    return base.lower().encode()


# --- http.DetectContentType ------------------------------------------------------------------------------------------

_HTML = (
    b"<!DOCTYPE HTML", b"<HTML", b"<HEAD", b"<SCRIPT", b"<IFRAME", b"<H1", b"<DIV", b"<FONT", b"<TABLE", b"<A",
    b"<STYLE", b"<TITLE", b"<B", b"<BODY", b"<BR", b"<P", b"<!--",
)  # fmt: skip
_MAGIC = (
    (b"%PDF-", b"application/pdf"), (b"%!PS-Adobe-", b"application/postscript"),
    (b"\xfe\xff", b"text/plain; charset=utf-16be"), (b"\xff\xfe", b"text/plain; charset=utf-16le"),
    (b"\xef\xbb\xbf", b"text/plain; charset=utf-8"), (b"\x00\x00\x01\x00", b"image/x-icon"),
    (b"\x00\x00\x02\x00", b"image/x-icon"), (b"BM", b"image/bmp"), (b"GIF87a", b"image/gif"),
    (b"GIF89a", b"image/gif"), (b"\x89PNG\r\n\x1a\n", b"image/png"), (b"\xff\xd8\xff", b"image/jpeg"),
    (b"ID3", b"audio/mpeg"), (b"OggS\x00", b"application/ogg"), (b"MThd\x00\x00\x00\x06", b"audio/midi"),
    (b"\x1a\x45\xdf\xa3", b"video/webm"), (b"\x00\x01\x00\x00", b"font/ttf"), (b"OTTO", b"font/otf"),
    (b"ttcf", b"font/collection"), (b"wOFF", b"font/woff"), (b"wOF2", b"font/woff2"),
    (b"\x1f\x8b\x08", b"application/x-gzip"), (b"PK\x03\x04", b"application/zip"),
    (b"Rar!\x1a\x07\x00", b"application/x-rar-compressed"),
    (b"Rar!\x1a\x07\x01\x00", b"application/x-rar-compressed"), (b"\x00asm", b"application/wasm"),
)  # fmt: skip
_BINARY = frozenset([*range(0x09), 0x0B, *range(0x0E, 0x1B), *range(0x1C, 0x20)])


def sniff(body: bytes) -> bytes:
    """The Content-Type net/http gives an answer that says none."""
    body = body[:512]
    text = body.lstrip(b"\t\n\x0c\r ")
    upper = text[:16].upper()
    for tag in _HTML:
        if upper.startswith(tag) and text[len(tag) : len(tag) + 1] in (b" ", b">"):
            return b"text/html; charset=utf-8"
    if text.startswith(b"<?xml"):
        return b"text/xml; charset=utf-8"
    for magic, kind in _MAGIC:
        if body.startswith(magic):
            return kind
    if any(byte in _BINARY for byte in text):
        return b"application/octet-stream"
    return b"text/plain; charset=utf-8"
