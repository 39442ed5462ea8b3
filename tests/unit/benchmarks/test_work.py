"""What the benchmarks compute, held to standards, to vectors of others, and to what must be true of any input."""

from __future__ import annotations

import csv
import io
import json
import math
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.benchmarks.works import work

aes, auth, image = work("aes"), work("auth"), work("image-rotate")
fan_in, fan_out, reduction = work("fan-in"), work("fan-out"), work("map-reduce")

seeds = st.integers(0, 2**64)
numbers = st.integers(0, 10**6)


def test_aes_encrypts_nist_s_example_of_counter_mode() -> None:
    secret = aes.Secret(  # NIST SP 800-38A, F.5.1
        bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c"), bytes.fromhex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff")
    )
    plain = (
        "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
        "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
    )
    wanted = (
        "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff"
        "5ae4df3edbd5d35e5b4f09020db03eab1e031dda2fbe03d1792170a0f3009cee"
    )
    assert aes.crypted(bytes.fromhex(plain), secret).hex() == wanted


def test_aes_by_the_book_encrypts_the_standard_s_example() -> None:
    key = bytes.fromhex("000102030405060708090a0b0c0d0e0f")  # FIPS 197, C.1
    block = bytes.fromhex("00112233445566778899aabbccddeeff")
    assert aes._by_the_book(block, key).hex() == "69c4e0d86a7b0430d8cdb78070b4c55a"
    assert aes._by_tables(block, aes._round_keys(key)).hex() == "69c4e0d86a7b0430d8cdb78070b4c55a"


@given(st.text(max_size=100), st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16))
def test_what_aes_encrypted_it_decrypts(text: str, key: bytes, counter: bytes) -> None:
    secret = aes.Secret(key, counter)
    assert aes.decrypt(aes.encrypt(text, secret), secret) == text


def test_a_counter_that_overflows_begins_again() -> None:
    secret = aes.Secret(bytes(16), b"\xff" * 16)
    following = aes.Secret(bytes(16), bytes(16))
    assert aes.crypted(bytes(32), secret)[16:] == aes.crypted(bytes(16), following)


def test_a_token_of_the_standard_is_understood() -> None:
    key = bytes.fromhex(  # RFC 7515, A.1: a JWT that was made by others
        "0323354b2b0fa5bc837e0665777ba68f5ab328e6f054c928a90f84b2d2502ebfd3fb5a92d20647ef968ab4c377623d223d2e2172052e4f08c0cd9af567d080a3"
    )
    token = (
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
        "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    )
    assert auth.verdict(token, key, now=1300819380) == "deny: expired"
    assert auth.verdict(token, key, now=1300819379) == "deny: no token"  # it is signed, and names no subject
    assert auth.verdict(token, b"another", now=0) == "deny: not signed"


@given(st.text())
def test_no_text_is_let_in_by_chance(text: str) -> None:
    assert auth.verdict(text, auth.KEY, auth.NOW).startswith("deny: ")


@pytest.mark.parametrize(
    "claims", [{}, {"sub": "x"}, {"exp": 9**20}, {"sub": "x", "exp": "late"}, {"sub": "x", "exp": None}]
)
def test_a_signed_token_without_what_it_needs_is_no_token(claims: dict[str, Any]) -> None:
    assert auth.verdict(auth.signed(claims), auth.KEY, auth.NOW) == "deny: no token"


def test_a_signed_list_is_no_token() -> None:
    assert auth.verdict(auth.signed([1]), auth.KEY, auth.NOW) == "deny: no token"
    assert auth.verdict(auth.signed({}, header=[1]), auth.KEY, auth.NOW) == "deny: no token"


@pytest.mark.parametrize(("n", "wanted"), [(0, 0), (1, 1), (2, 1), (10, 55), (90, 2880067194370816120)])
def test_fibonacci_numbers_are_those_of_the_books(n: int, wanted: int) -> None:
    assert work("fibonacci").fibonacci(n) == wanted
    assert work("fibonacci")._doubled(n)[0] == wanted


@given(numbers, st.integers(0, 300), st.integers(0, 300))
def test_spinning_on_is_spinning_further(start: int, steps: int, more: int) -> None:
    spun = work("spinning").spun
    assert spun(spun(start, steps), more) == spun(start, steps + more)


@st.composite
def images(draw: st.DrawFn) -> Any:
    width, height = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    size = width * height * image.CHANNELS
    return image.Image(width, height, draw(st.binary(min_size=size, max_size=size)))


@given(images(), st.integers(0, 4))
def test_an_image_survives_being_encoded_with_any_filter(picture: Any, kind: int) -> None:
    assert image.decoded(image.encoded(picture, lambda row: (kind + row) % 5)) == picture


@given(images())
def test_four_quarters_are_a_whole_turn(picture: Any) -> None:
    once = image.turned(picture)
    assert (once.width, once.height) == (picture.height, picture.width)
    assert image.turned(image.turned(image.turned(once))) == picture


def test_the_corner_at_the_top_left_goes_to_the_top_right() -> None:
    red, rest = b"\xff\0\0", b"\0\0\0"
    turned = image.turned(image.Image(2, 1, red + rest))
    assert turned == image.Image(1, 2, red + rest)
    assert image.turned(turned) == image.Image(2, 1, rest + red)


@given(st.binary(max_size=60))
def test_bytes_that_are_no_image_are_refused(data: bytes) -> None:
    for damaged in (data, image.SIGNATURE + data, image.generate_input(1, 3)[: len(data)]):
        with pytest.raises(image.NoImage):
            image.decoded(damaged)


@given(st.integers(0, 99), st.integers(0, 500), st.integers(1, 12))
def test_primes_are_counted_alike_however_the_range_is_cut(seed: int, size: int, parts: int) -> None:
    first, end = fan_out.generate_input(seed, size)
    cut = fan_out.cut(first, end, parts)
    assert len(cut) == parts
    assert [number for part in cut for number in range(*part)] == list(range(first, end))
    assert sum(fan_out.primes(*part) for part in cut) == fan_out.primes(first, end)


@pytest.mark.parametrize(
    ("first", "end", "wanted"), [(0, 0, 0), (0, 2, 0), (0, 3, 1), (2, 3, 1), (0, 100, 25), (24, 29, 0)]
)
def test_primes_near_the_edges_are_counted_once(first: int, end: int, wanted: int) -> None:
    assert fan_out.primes(first, end) == wanted


@given(st.lists(numbers, min_size=1), st.integers(1, 9))
def test_runs_hold_every_number_once_and_merge_to_the_sorted_list(values: list[int], width: int) -> None:
    runs = [fan_in.run(values, position, width) for position in range(width)]
    assert Counter(number for run in runs for number in run) == Counter(values)
    assert fan_in.summary(runs) == fan_in.summary([sorted(values)])


@pytest.mark.parametrize(("name", "place"), [("producer", 0), ("producer-1", 0), ("producer-12", 11)])
def test_a_copy_knows_its_place_by_its_name(name: str, place: int) -> None:
    assert fan_in.position(name) == place
    assert work("broadcast").position(name.replace("producer", "shard")) == place


@given(st.text(alphabet="ab \n", max_size=300), st.integers(1, 50))
def test_parts_are_whole_lines_and_together_the_text(text: str, size: int) -> None:
    parts = reduction.parts(text, size)
    assert "".join(parts) == text
    assert all(len(part) >= size for part in parts[:-1])
    assert all(part.endswith("\n") for part in parts[:-1])
    assert len(parts) >= 1


@given(st.lists(st.dictionaries(st.text(max_size=3), numbers)), st.integers(1, 8))
def test_the_shuffle_gives_every_key_to_one_reducer_and_loses_nothing(
    mapped: list[dict[str, int]], reducers: int
) -> None:
    shares = reduction.shuffled("words", mapped, reducers)
    owners = Counter(key for share in shares for key in {key for sums in share for key in sums})
    assert set(owners.values()) <= {1}
    assert len(shares) <= reducers
    together: Counter[str] = Counter()
    for sums in mapped:
        together.update(sums)
    assert {key: value for share in shares for key, value in reduction.reduced(share).items()} == together


def test_visits_have_the_columns_of_the_benchmark_s_table() -> None:
    rows = list(csv.reader(io.StringIO(reduction.JOBS["revenue"].generate_input(1, 5000))))
    assert {len(row) for row in rows} == {9}
    assert all(row[0].count(".") == 3 and 0 <= float(row[3]) < 1 for row in rows)
    assert any('"text"' in row[4] for row in rows)  # a comma and quotes inside a field are the reader's business


def test_a_job_that_nobody_knows_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="there is no job 'sort'; one of words, revenue"):
        reduction.data("sort", 1, 1000)


@given(st.integers(1, 2**200))
def test_newton_finds_the_root_in_falling_steps(number: int) -> None:
    recursion = work("recursion")
    state = recursion.guess(number)
    while (better := recursion.step(*state)) is not None:
        assert better[1] < state[1]
        state = better
    assert state[1] == math.isqrt(number)


def test_the_largest_root_takes_fewer_steps_than_its_chain_allows() -> None:
    recursion = work("recursion")
    for size in (1, 2, 3, 64, 4096):
        state, steps = recursion.guess(recursion.generate_input(1, size)), 0
        while (better := recursion.step(*state)) is not None:
            state, steps = better, steps + 1
        assert steps < 100


@given(st.sampled_from(("csv", "json", "letter")), seeds, st.integers(1, 30))
def test_a_document_of_each_format_is_told_by_its_beginning(kind: str, seed: int, size: int) -> None:
    branch = work("branch")
    document = branch.generate_input(seed // 3 * 3 + branch.KINDS.index(kind), size)
    assert branch.kind(document) == kind


def test_a_bank_turns_away_about_as_many_as_it_was_told() -> None:
    turned_away = work("retry").turned_away
    messages = [f"{number * 2654435761 % 2**32:08x}" for number in range(1000)]
    assert not any(turned_away(message, 0.0) for message in messages)
    assert all(turned_away(message, 1.0) for message in messages)
    assert 350 < sum(turned_away(message, 0.4) for message in messages) < 450


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=20), seeds)
def test_a_total_is_rounded_once_and_to_the_even_cent(cents: Sequence[int], seed: int) -> None:
    retry = work("retry")
    amounts = [{"currency": retry.CURRENCIES[at % 6], "cents": each} for at, each in enumerate(cents)]
    rates = retry.rates(seed, retry.CURRENCIES)
    exact = sum(Fraction(each["cents"], 100) * Fraction(rates[each["currency"]]) for each in amounts)
    assert retry.total(amounts, rates) == f"EUR {round(exact * 100) / 100:.2f}"


@pytest.mark.parametrize("seed", range(4))
def test_a_trip_lacks_a_place_in_three_of_four_seeds(seed: int) -> None:
    party = work("saga").generate_input(seed, 4)
    short = [step for step, left in party["left"].items() if left < party["people"]]
    assert short == [["flight"], ["hotel"], ["car"], []][seed]


def test_an_archive_that_was_not_sealed_is_found_out() -> None:
    import base64
    import zlib

    archive = work("archive")
    packed = base64.b64encode(zlib.compress(archive.generate_input(1, 20_000).encode())).decode()
    unsealed = archive.told(base64.b64encode(packed.encode()).decode(), packed)
    assert json.loads(unsealed)["bits_alike"] == 100.0
    assert "100.0 % of the sealed bits" in archive.validate_output(unsealed, 1, 20_000)
