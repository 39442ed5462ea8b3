"""Number plates in a moving picture: frames are decoded, the plate is found, its handwritten digits are told.

The pictures are scikit-learn's two photographs, the digits those of its optical recognition set. What reads the digits
has learned from the first two thirds of them; those on the plates are from the last third.
"""

from __future__ import annotations

import io
import json
import random
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from PIL import Image
from scipy import ndimage
from sklearn.datasets import load_digits, load_sample_image
from sklearn.svm import SVC

Frame = np.ndarray[Any, np.dtype[np.uint8]]  # rows from the top, pixels from the left, red, green, blue

WIDTH, HEIGHT = 480, 360
YELLOW, BLUE = (250, 200, 20), (20, 40, 120)  # a plate, and what it is edged with
SCALE, CELL, RIM, EDGE = 4, 40, 6, 6  # a digit's pixels, the cell it stands in, what is around all cells, around that
DIGIT = 8 * SCALE
LEARNED = 1200  # of the 1,797 digits
JPEG_END = b"\xff\xd9"
LEAST_RIGHT = 0.5  # of the digits; whoever guesses has a tenth


def generate_input(seed: int, size: int) -> bytes:
    """A video of so many frames: the camera goes over a photograph, and a plate comes by in each."""
    return b"".join(_jpeg(_drawn(seed, number, plate)) for number, plate in enumerate(_plates(seed, size)))


def _plates(seed: int, size: int) -> list[list[int]]:
    """Of each frame, which of the digits are on its plate."""
    draw = random.Random(f"plates/{seed}")
    unseen = range(LEARNED, len(_digits().target))
    return [draw.sample(unseen, draw.randrange(5, 8)) for _ in range(size)]


def _drawn(seed: int, number: int, plate: Sequence[int]) -> Frame:
    draw = random.Random(f"camera/{seed}/{number}")
    photograph = _photograph(("china.jpg", "flower.jpg")[seed % 2])
    left, top = min(8 * number, photograph.shape[1] - WIDTH), min(4 * number, photograph.shape[0] - HEIGHT)
    frame = photograph[top : top + HEIGHT, left : left + WIDTH].copy()
    height, width = CELL + 2 * (RIM + EDGE), CELL * len(plate) + 2 * (RIM + EDGE)
    y, x = draw.randrange(HEIGHT - height), draw.randrange(WIDTH - width)
    frame[y : y + height, x : x + width] = BLUE
    yellow = frame[y + EDGE : y + height - EDGE, x + EDGE : x + width - EDGE]
    yellow[:] = YELLOW
    for cell, digit in zip(_cells(yellow, len(plate)), plate, strict=True):
        ink = _digits().images[digit].repeat(SCALE, 0).repeat(SCALE, 1)[..., None] / 16
        cell[:] = (cell * (1 - ink)).astype(np.uint8)
    return frame


def _cells(plate: Any, count: int) -> list[Any]:
    """Where the digits are on a plate's yellow, which may be found a pixel too small or too large."""
    top, left = (plate.shape[0] - DIGIT) // 2, (plate.shape[1] - CELL * count + CELL - DIGIT) // 2
    places = (left + CELL * number for number in range(count))
    return [plate[top : top + DIGIT, place : place + DIGIT] for place in places]


@cache
def _digits() -> Any:
    return load_digits()


@cache
def _photograph(name: str) -> Frame:
    return load_sample_image(name)  # type: ignore[no-any-return]


def _jpeg(frame: Frame) -> bytes:
    file = io.BytesIO()
    Image.fromarray(frame).save(file, "JPEG", quality=85)
    return file.getvalue()


def images(video: bytes) -> list[bytes]:
    """The JPEG images of a video. Their end cannot be in the middle of one (ITU-T T.81, B.1.1.5)."""
    return [image + JPEG_END for image in video.split(JPEG_END)[:-1]]


def decoded(image: bytes) -> Frame:
    return np.asarray(Image.open(io.BytesIO(image)).convert("RGB"))


def packed(frame: Frame) -> bytes:
    """A frame as it travels: height and width, and its pixels."""
    return np.array(frame.shape[:2], "<u2").tobytes() + frame.tobytes()


def unpacked(data: bytes) -> Frame:
    height, width = np.frombuffer(data[:4], "<u2")
    return np.frombuffer(data[4:], np.uint8).reshape(height, width, 3)


def read(frame: Frame) -> str:
    """The digits of the frame's plate; none where there is no plate."""
    plate = found(frame)
    if plate is None:
        return ""
    ink = 1 - frame[plate][..., :2].min(axis=2) / YELLOW[1]
    cells = _cells(ink, round((ink.shape[1] - 2 * RIM) / CELL))
    pictures = [cell.reshape(8, SCALE, 8, SCALE).mean(axis=(1, 3)) for cell in cells]
    return "".join(map(str, _reader().predict([16 * picture.clip(0, 1).ravel() for picture in pictures])))


def found(frame: Frame) -> tuple[slice, slice] | None:
    """Where the plate is: of what is yellow and hangs together, the most that fills its own rectangle."""
    red, green, blue = (frame[..., colour].astype(np.int16) for colour in range(3))
    marks, _ = ndimage.label(ndimage.binary_fill_holes((red > 150) & (green > 110) & (red - blue > 70)))
    boxes = enumerate(ndimage.find_objects(marks), start=1)
    filled = [(int((marks[box] == number).sum()), box) for number, box in boxes]
    plates = [(area, box) for area, box in filled if area > CELL * CELL and area > 0.9 * marks[box].size]
    return max(plates, key=lambda plate: plate[0])[1] if plates else None


@cache
def _reader() -> SVC:
    digits = _digits()
    return SVC(gamma=0.001).fit(digits.data[:LEARNED], digits.target[:LEARNED])


def validate_output(answer: str, seed: int, size: int) -> str | None:
    """Every plate counts by its digits: how many of them are told right, depends on the libraries' versions."""
    try:
        said = json.loads(answer)
        if len(said) != size or not all(isinstance(each, str) for each in said):
            return f"a video of {size} frames has as many plates"
    except (ValueError, TypeError, RecursionError) as error:
        return f"that is no answer of a video: {error!r:.80}"
    plates = ["".join(str(_digits().target[digit]) for digit in plate) for plate in _plates(seed, size)]
    whole = [(told, plate) for told, plate in zip(said, plates, strict=True) if len(told) == len(plate)]
    right = sum(one == other for told, plate in whole for one, other in zip(told, plate, strict=True))
    digits = sum(map(len, plates))
    return None if right >= LEAST_RIGHT * digits else f"{right} of {digits} digits are right: {said}, not {plates}"
