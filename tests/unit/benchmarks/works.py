"""The work of the catalogue's benchmarks, as modules, and what each makes of its input without any function."""

from __future__ import annotations

import functools
import importlib.util
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

FOLDER = Path(__file__).parents[3] / "benchmarks"

Answer = Callable[[ModuleType, int, int], str]


@functools.cache
def work(benchmark: str) -> ModuleType:
    """`work.py` of a benchmark. Every one has the same name, so none stays among the modules; its siblings neither."""
    folder = FOLDER / benchmark
    siblings = {path.stem for path in folder.glob("*.py")}
    spec = importlib.util.spec_from_file_location(f"benchmark_{benchmark.replace('-', '_')}", folder / "work.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    sys.path.insert(0, str(folder))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(folder))
        for name in siblings:
            if (found := sys.modules.get(name)) is not None and Path(str(found.__file__)).parent == folder:
                del sys.modules[name]
    return module


def verdict(benchmark: str, answer: str, seed: int, size: int) -> str | None:
    """What the benchmark says of an answer; `benchmark` is a name of BENCHMARKS."""
    own = work(BENCHMARKS[benchmark][0])
    asked = {"parameters": PARAMETERS[benchmark](size)} if benchmark in PARAMETERS else {}
    wrong: str | None = own.validate_output(answer, seed, size, **asked)
    return wrong


def _aes(work: ModuleType, seed: int, size: int) -> str:
    return str(work.encrypt(work.generate_input(seed, size), work.secret(seed)))


def _auth(work: ModuleType, seed: int, size: int) -> str:
    return "\n".join(work.verdict(token, work.KEY, work.NOW) for token in work.generate_input(seed, size))


def _fibonacci(work: ModuleType, seed: int, size: int) -> str:
    return str(work.fibonacci(work.generate_input(seed, size)))


def _compression(work: ModuleType, seed: int, size: int) -> str:
    return str(work.armoured(work.packed(work.generate_input(seed, size), 6)))


def _image_rotate(work: ModuleType, seed: int, size: int) -> str:
    return str(work.armoured(work.encoded(work.turned(work.decoded(work.generate_input(seed, size))))))


def _sleeping(work: ModuleType, seed: int, size: int) -> str:
    return f"slept {int(work.generate_input(seed, size) * 1_000_000_000)} ns"


def _spinning(work: ModuleType, seed: int, size: int) -> str:
    return str(work.spun(work.generate_input(seed, size), size))


def _fan_out(work: ModuleType, seed: int, size: int) -> str:
    return str(sum(work.primes(*part) for part in work.cut(*work.generate_input(seed, size), 4)))


def _fan_in(work: ModuleType, seed: int, size: int) -> str:
    numbers = work.generate_input(seed, size)
    return str(work.summary([work.run(numbers, position, 3) for position in range(3)]))


def _broadcast(work: ModuleType, seed: int, size: int) -> str:
    points, query = work.generate_input(seed, size), work.query(seed)
    return str(work.best([work.nearest(points, query, shard, 3) for shard in range(3)]))


def _map_reduce(job: str) -> Answer:
    def answer(work: ModuleType, seed: int, size: int) -> str:
        mapped = [work.mapped(job, part) for part in work.parts(work.data(job, seed, size), 1024)]
        return str(work.answer(job, [work.reduced(share) for share in work.shuffled(job, mapped, 3)]))

    return answer


def _diamond(work: ModuleType, seed: int, size: int) -> str:
    order = work.generate_input(seed, size)
    return str(work.invoice({"goods": work.price(order), "shipping": work.shipping(order)}))


def _branch(work: ModuleType, seed: int, size: int) -> str:
    document = work.generate_input(seed, size)
    return str(work.shown(getattr(work, f"of_{work.kind(document)}")(document)))


def _recursion(work: ModuleType, seed: int, size: int) -> str:
    state = work.guess(work.generate_input(seed, size))
    while (better := work.step(*state)) is not None:
        state = better
    return str(work.shown(*state))


def _retry(work: ModuleType, seed: int, size: int) -> str:
    return str(work.total(work.generate_input(seed, size), work.rates(seed, work.CURRENCIES)))


def _saga(work: ModuleType, seed: int, size: int) -> str:
    party = work.generate_input(seed, size)
    done: list[str] = []
    for step in work.STEPS:
        if work.step(step, "book", party["people"], party["left"]) == work.SOLD_OUT:
            return str(work.told(list(reversed(done)), failed=step))
        done.append(step)
    return str(work.told(done))


def _archive(own: ModuleType, seed: int, size: int) -> str:
    packing, sealing = work("compression"), work("aes")
    packed = packing.armoured(packing.packed(own.generate_input(seed, size), 9))
    sealed = sealing.encrypt(packed, sealing.secret(seed))
    return str(own.told(sealed, sealing.decrypt(sealed, sealing.secret(seed))))


def _online_shop(work: ModuleType, seed: int, size: int) -> str:
    asked = work.generate_input(seed, size)
    cart = work.cart(asked["wanted"])
    lines, shipping = [work.line(item) for item in cart], work.shipping(cart, asked["country"])
    amounts = [*(line["cents"] for line in lines), shipping["cents"]]
    converted = [work.convert(cents, asked["currency"]) for cents in amounts]
    paid = work.charge(asked["card"], sum(converted))
    return json.dumps(work.ordered(asked, lines, converted, shipping, paid))


def _hotel_search(work: ModuleType, seed: int, size: int) -> str:
    asked, hotels = work.generate_input(seed, size), work.hotels(size)
    near = work.near(hotels, asked["at"], asked["most"])
    offers, other = work.priced(hotels, near, asked["from"], asked["nights"]), work.recommended(hotels, asked)
    profiles = work.profiles(hotels, [*(offer["id"] for offer in offers), *other])
    return json.dumps({"offers": offers, "recommended": other, "profiles": profiles})


def _counter(work: ModuleType, seed: int, size: int) -> str:
    first = work.generate_input(seed) + 1
    return str(work.trail(range(first, first + size), size))


def _quicksort(work: ModuleType, seed: int, size: int) -> str:
    return str(work.proof(sorted(work.generate_input(seed, size))))


def _calculator(work: ModuleType, seed: int, size: int) -> str:
    return str(work.calculate(**work.generate_input(seed, size)))


def _polyglot(work: ModuleType, seed: int, size: int) -> str:
    page = work.render(work.generate_input(seed, size))
    return json.dumps({"bytes": len(page.encode()), "rounds": 3, **work.checksum(page, 3)})


# What the chain was asked for, where the judge takes it; a counter's limit is what is small here.
PARAMETERS: Mapping[str, Callable[[int], Mapping[str, Any]]] = {
    "map-reduce words": lambda _: {"job": "words"},
    "map-reduce revenue": lambda _: {"job": "revenue"},
    "counter": lambda size: {"limit": size},
    "polyglot": lambda size: {"size": size, "rounds": 3},
}

# Of each benchmark how its answer comes about, and small sizes that are worth a try.
BENCHMARKS: Mapping[str, tuple[str, Answer, tuple[int, ...]]] = {
    "aes": ("aes", _aes, (1, 15, 16, 17, 1000)),
    "auth": ("auth", _auth, (1, 2, 50)),
    "fibonacci": ("fibonacci", _fibonacci, (0, 1, 1000)),
    "compression": ("compression", _compression, (0, 1, 4096, 10_000)),
    "image-rotate": ("image-rotate", _image_rotate, (1, 2, 33)),
    "sleeping": ("sleeping", _sleeping, (0, 1, 50)),
    "spinning": ("spinning", _spinning, (0, 1, 1000)),
    "fan-out": ("fan-out", _fan_out, (1, 2, 3, 10_000)),
    "fan-in": ("fan-in", _fan_in, (1, 2, 3, 1000)),
    "broadcast": ("broadcast", _broadcast, (1, 2, 11, 500)),
    "map-reduce words": ("map-reduce", _map_reduce("words"), (1, 1024, 20_000)),
    "map-reduce revenue": ("map-reduce", _map_reduce("revenue"), (1, 1024, 20_000)),
    "diamond": ("diamond", _diamond, (1, 2, 200)),
    "branch": ("branch", _branch, (1, 2, 300)),
    "recursion": ("recursion", _recursion, (1, 2, 3, 64, 1000)),
    "retry": ("retry", _retry, (1, 50)),
    "saga": ("saga", _saga, (1, 4)),
    "archive": ("archive", _archive, (0, 1, 4096)),
    "online-shop": ("online-shop", _online_shop, (1, 5, 12)),
    "hotel-search": ("hotel-search", _hotel_search, (10, 800)),
    "counter": ("counter", _counter, (1, 2, 100)),
    "quicksort": ("quicksort", _quicksort, (1, 2, 2000)),
    "calculator": ("calculator", _calculator, (1, 6)),
    "polyglot": ("polyglot", _polyglot, (1, 100)),
}
