"""Hotels of three cities, made from a seed of their own: the same for every function, and for whoever judges.

Places are degrees of latitude and longitude, distances metres along the great circle, prices whole cents.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from math import acos, asin, cos, radians, sin, sqrt
from typing import Any

EARTH_M = 6_371_008.8  # the mean radius (IUGG)
WITHIN_M = 12_000  # farther is not near
CITIES = {"Lisbon": (38.7223, -9.1393), "Nairobi": (-1.2864, 36.8172), "Kyoto": (35.0116, 135.7681)}
STREETS = ("Harbour Road", "Station Square", "Garden Lane", "Market Street", "Castle Hill", "River Walk")
NAMES = ("Blue Heron", "Old Mill", "Grand", "Lantern", "Four Winds", "Jacaranda", "Maple", "Compass", "Rosemary")
KINDS = ("Hotel", "Inn", "House", "Guesthouse", "Palace")
WEEKEND = (4, 5)  # Friday and Saturday nights, as `date.weekday` counts

Place = tuple[float, float]
Question = Mapping[str, Any]  # at, from, nights, most, by


@dataclass(frozen=True, slots=True)
class Hotel:
    """`stars` are halves from 2 to 10; `cents` is what an ordinary night costs."""

    id: int
    name: str
    city: str
    address: str
    at: Place
    stars: int
    cents: int


@cache
def hotels(size: int) -> tuple[Hotel, ...]:
    """As many as that, spread over the cities; the id is the place in the list."""
    draw = random.Random("hotels")
    return tuple(_hotel(number, draw) for number in range(size))


def _hotel(number: int, draw: random.Random) -> Hotel:
    city = draw.choice(list(CITIES))
    latitude, longitude = CITIES[city]
    at = (round(draw.gauss(latitude, 0.05), 6), round(draw.gauss(longitude, 0.05), 6))
    name = f"{draw.choice(NAMES)} {draw.choice(KINDS)}"
    address = f"{draw.randrange(1, 200)} {draw.choice(STREETS)}, {city}"
    stars = draw.randrange(2, 11)
    return Hotel(number, name, city, address, at, stars, stars * draw.randrange(900, 3500))


def generate_input(seed: int, size: int) -> dict[str, Any]:
    """A guest's question: where, from which night on, how many nights, how many offers, and what counts."""
    draw = random.Random(f"guest/{seed}")
    latitude, longitude = draw.choice(list(CITIES.values()))
    return {
        "at": (round(draw.gauss(latitude, 0.03), 6), round(draw.gauss(longitude, 0.03), 6)),
        "from": str(date(2027, 1, 1) + timedelta(days=draw.randrange(365))),
        "nights": draw.randrange(1, 8),
        "most": draw.randrange(3, 9),
        "by": draw.choice(("stars", "price", "distance")),
    }


def metres(one: Place, other: Place) -> float:
    """The haversine formula, which is exact for places that are close."""
    (north, east), (north2, east2) = (map(radians, place) for place in (one, other))
    half = sin((north2 - north) / 2) ** 2 + cos(north) * cos(north2) * sin((east2 - east) / 2) ** 2
    return 2 * EARTH_M * asin(sqrt(half))


def near(there: Sequence[Hotel], at: Place, most: int) -> list[tuple[int, int]]:
    """The nearest, at most so many and none too far: id and whole metres, the nearest first."""
    away = sorted((metres(at, hotel.at), hotel.id) for hotel in there)
    return [(number, round(distance)) for distance, number in away[:most] if distance <= WITHIN_M]


def priced(there: Sequence[Hotel], near: Iterable[tuple[int, int]], first: str, nights: int) -> list[dict[str, int]]:
    """An offer for each hotel, the cheapest first: a weekend's night costs a quarter more, one of summer a half."""
    days = [date.fromisoformat(first) + timedelta(days=night) for night in range(nights)]
    offers = [
        {"id": number, "metres": distance, "cents": sum(_night(there[number].cents, day) for day in days)}
        for number, distance in near
    ]
    return sorted(offers, key=lambda offer: (offer["cents"], offer["id"]))


def _night(cents: int, day: date) -> int:
    quarters = 4 + (day.weekday() in WEEKEND) + 2 * (day.month in (7, 8))
    return cents * quarters // 4


def recommended(there: Sequence[Hotel], asked: Question) -> list[int]:
    """The three best by what counts for the guest."""

    def measure(hotel: Hotel) -> float:
        if asked["by"] == "distance":
            return metres(asked["at"], hotel.at)
        return hotel.cents if asked["by"] == "price" else -hotel.stars

    return [hotel.id for hotel in sorted(there, key=lambda hotel: (measure(hotel), hotel.id))[:3]]


def profiles(there: Sequence[Hotel], ids: Iterable[int]) -> list[dict[str, str]]:
    return [{"name": there[number].name, "address": there[number].address} for number in ids]


def validate_output(answer: str, seed: int, size: int) -> str | None:
    """Looks at every hotel for itself: distances by the angle between two vectors, prices night by night."""
    try:
        return _wrong(json.loads(answer), seed, size)
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        return f"that is no answer of a search: {error!r:.80}"


def _wrong(said: Mapping[str, Any], seed: int, size: int) -> str | None:
    asked, there = generate_input(seed, size), hotels(size)
    away = sorted((_by_angle(asked["at"], hotel.at), hotel.id) for hotel in there)
    wanted = {number for distance, number in away[: asked["most"]] if distance <= WITHIN_M}
    if (found := {offer["id"] for offer in said["offers"]}) != wanted:
        return f"the hotels near {asked['at']} are {sorted(wanted)}, not {sorted(found)}"
    for offer in said["offers"]:
        hotel = there[offer["id"]]
        if abs(offer["metres"] - _by_angle(asked["at"], hotel.at)) > 2:
            return f"{hotel.name} is not {offer['metres']} m away"
        if offer["cents"] != (cents := _by_nights(hotel, asked)):
            return f"{hotel.name} costs {cents}, not {offer['cents']}"
    if [offer["cents"] for offer in said["offers"]] != sorted(offer["cents"] for offer in said["offers"]):
        return "the cheapest offer is not the first"
    return _misled(said, asked, there)


def _misled(said: Mapping[str, Any], asked: Question, there: Sequence[Hotel]) -> str | None:
    """What is wrong with the recommendations and the profiles."""
    best = said["recommended"]
    values = [_worth(hotel, asked) for hotel in there]
    if len(set(best)) != 3 or max(values[number] for number in best) > sorted(values)[2]:
        return f"{best} are not the best three by {asked['by']}"
    shown = [*(offer["id"] for offer in said["offers"]), *best]
    wanted = [(there[number].name, there[number].address) for number in shown]
    if [(each["name"], each["address"]) for each in said["profiles"]] != wanted:
        return "a profile is not that of its hotel"
    return None


def _worth(hotel: Hotel, asked: Question) -> float:
    """What counts for the guest, the less the better."""
    if asked["by"] == "stars":
        return -hotel.stars
    return hotel.cents if asked["by"] == "price" else _by_angle(asked["at"], hotel.at)


def _by_angle(one: Place, other: Place) -> float:
    left, right = (_vector(*map(radians, place)) for place in (one, other))
    return EARTH_M * acos(min(1.0, sum(a * b for a, b in zip(left, right, strict=True))))


def _vector(north: float, east: float) -> tuple[float, float, float]:
    return cos(north) * cos(east), cos(north) * sin(east), sin(north)


def _by_nights(hotel: Hotel, asked: Question) -> int:
    total, day = 0, date.fromisoformat(asked["from"])
    for _ in range(asked["nights"]):
        quarters = 4
        if day.isoweekday() in (5, 6):
            quarters += 1
        if day.month in (7, 8):
            quarters += 2
        total += hotel.cents * quarters // 4
        day += timedelta(days=1)
    return total
