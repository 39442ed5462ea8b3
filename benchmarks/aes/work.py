"""AES-128 (FIPS 197) in counter mode (NIST SP 800-38A, 6.5), in Python alone.

The work goes by tables, as fast software does: a round of a column is four look-ups. The answer is judged by the
textbook: a field of 256 elements, and the four steps of a round one after the other. For measuring, not for secrets:
look-ups that depend on a key can be timed.
"""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator
from dataclasses import dataclass

ROUNDS = 10  # of a key of 128 bits
BLOCK = 16  # bytes
WORDS = ("archive", "benchmark", "cloud", "function", "ledger", "message", "serverless", "token", "vector", "worker")


@dataclass(frozen=True, slots=True)
class Secret:
    """A key and the first block's counter, 16 bytes each."""

    key: bytes
    counter: bytes


def secret(seed: int) -> Secret:
    draw = random.Random(f"aes/secret/{seed}")
    return Secret(draw.randbytes(BLOCK), draw.randbytes(BLOCK))


def generate_input(seed: int, size: int) -> str:
    """A text of `size` bytes."""
    draw = random.Random(f"aes/{seed}")
    return " ".join(draw.choices(WORDS, k=size // 5 + 1))[:size]


def encrypt(text: str, secret: Secret) -> str:
    """The ciphertext, in base64."""
    return base64.b64encode(crypted(text.encode(), secret)).decode()


def decrypt(text: str, secret: Secret) -> str:
    """The text whose ciphertext, in base64, is `text`."""
    return crypted(base64.b64decode(text, validate=True), secret).decode()


def crypted(data: bytes, secret: Secret) -> bytes:
    """`data` xor the encrypted counters: its own inverse."""
    keys = _round_keys(secret.key)
    stream = b"".join(_by_tables(counter, keys) for counter in _counters(secret.counter, len(data)))
    return _xor(data, stream[: len(data)])


def validate_output(answer: str, seed: int, size: int) -> str | None:
    """Encrypts the same text by the textbook."""
    used, text = secret(seed), generate_input(seed, size).encode()
    stream = b"".join(_by_the_book(counter, used.key) for counter in _counters(used.counter, len(text)))
    wanted = base64.b64encode(_xor(text, stream[: len(text)])).decode()
    return None if answer == wanted else f"the ciphertext begins with {answer[:24]!r}, not with {wanted[:24]!r}"


def _xor(one: bytes, other: bytes) -> bytes:
    return (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).to_bytes(len(one), "big")


def _counters(first: bytes, size: int) -> Iterator[bytes]:
    number = int.from_bytes(first, "big")
    return (((number + at) % 2**128).to_bytes(BLOCK, "big") for at in range((size + BLOCK - 1) // BLOCK))


# --- The field of 256 elements, and the substitution that follows from it ---------------------------------------------


def _times(one: int, other: int) -> int:
    """Their product modulo x^8 + x^4 + x^3 + x + 1."""
    product = 0
    while other:
        if other & 1:
            product ^= one
        one = one << 1 ^ (0x11B if one & 0x80 else 0)
        other >>= 1
    return product


def _substituted(value: int) -> int:
    inverse = value  # to the power of 254: each turn doubles the exponent, and all but the last add one to it
    for _ in range(6):
        inverse = _times(_times(inverse, inverse), value)
    inverse = _times(inverse, inverse)
    return inverse ^ _turned(inverse, 1) ^ _turned(inverse, 2) ^ _turned(inverse, 3) ^ _turned(inverse, 4) ^ 0x63


def _turned(value: int, bits: int) -> int:
    return (value << bits | value >> 8 - bits) & 0xFF


S_BOX = bytes(map(_substituted, range(256)))


def _round_keys(key: bytes) -> list[tuple[int, int, int, int]]:
    """Eleven keys of four columns."""
    words = [int.from_bytes(key[at : at + 4], "big") for at in range(0, BLOCK, 4)]
    constant = 1
    for at in range(4, 4 * (ROUNDS + 1)):
        word = words[-1]
        if at % 4 == 0:
            turned = (word << 8 | word >> 24) & 0xFFFFFFFF
            word = int.from_bytes(turned.to_bytes(4, "big").translate(S_BOX), "big") ^ constant << 24
            constant = _times(constant, 2)
        words.append(words[-4] ^ word)
    return [(words[at], words[at + 1], words[at + 2], words[at + 3]) for at in range(0, len(words), 4)]


# --- By tables --------------------------------------------------------------------------------------------------------

_TABLE = [int.from_bytes((_times(2, each), each, each, _times(3, each)), "big") for each in S_BOX]
T0, T1, T2, T3 = ([(word >> turn | word << 32 - turn) & 0xFFFFFFFF for word in _TABLE] for turn in (0, 8, 16, 24))


def _by_tables(block: bytes, keys: list[tuple[int, int, int, int]]) -> bytes:
    a, b, c, d = (
        int.from_bytes(block[at : at + 4], "big") ^ key for at, key in zip(range(0, 16, 4), keys[0], strict=True)
    )
    for k in keys[1:-1]:
        a, b, c, d = (
            T0[a >> 24] ^ T1[b >> 16 & 255] ^ T2[c >> 8 & 255] ^ T3[d & 255] ^ k[0],
            T0[b >> 24] ^ T1[c >> 16 & 255] ^ T2[d >> 8 & 255] ^ T3[a & 255] ^ k[1],
            T0[c >> 24] ^ T1[d >> 16 & 255] ^ T2[a >> 8 & 255] ^ T3[b & 255] ^ k[2],
            T0[d >> 24] ^ T1[a >> 16 & 255] ^ T2[b >> 8 & 255] ^ T3[c & 255] ^ k[3],
        )
    last = b"".join(
        bytes((S_BOX[w >> 24], S_BOX[x >> 16 & 255], S_BOX[y >> 8 & 255], S_BOX[z & 255]))
        for w, x, y, z in ((a, b, c, d), (b, c, d, a), (c, d, a, b), (d, a, b, c))
    )
    return _xor(last, b"".join(word.to_bytes(4, "big") for word in keys[-1]))


# --- By the book ------------------------------------------------------------------------------------------------------


def _by_the_book(block: bytes, key: bytes) -> bytes:
    keys = [b"".join(word.to_bytes(4, "big") for word in words) for words in _round_keys(key)]
    state = _xor(block, keys[0])
    for number in range(1, ROUNDS + 1):
        state = state.translate(S_BOX)
        state = bytes(state[(at + 4 * (at % 4)) % BLOCK] for at in range(BLOCK))  # row r turns by r columns
        if number < ROUNDS:
            state = b"".join(_mixed(state[at : at + 4]) for at in range(0, BLOCK, 4))
        state = _xor(state, keys[number])
    return state


def _mixed(column: bytes) -> bytes:
    rows = ((2, 3, 1, 1), (1, 2, 3, 1), (1, 1, 2, 3), (3, 1, 1, 2))
    return bytes(_sum(_times(value, factor) for value, factor in zip(column, row, strict=True)) for row in rows)


def _sum(values: Iterator[int]) -> int:
    total = 0
    for value in values:
        total ^= value
    return total
