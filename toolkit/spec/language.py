"""The chain language as one table: every key of a chain.yaml, its shape, and the words that explain it.

Parser and JSON Schema both walk `CHAIN`. May not live here: rules between keys (`rules`) and the walking (`shapes`).
"""

from __future__ import annotations

import keyword
from collections.abc import Mapping, Sequence
from typing import get_args

from toolkit import contract
from toolkit.contract.units import shown
from toolkit.spec import amounts, cluster
from toolkit.spec.amounts import Duration, Whole
from toolkit.spec.counts import MOST, NAME, Amount, Chosen, Filled, Joined, Number
from toolkit.spec.parameters import Knob, Plain
from toolkit.spec.shapes import Choice, Key, Listing, Record, Table, Text

# The services of `protos/` and their methods: what a call edge may name. A test compares them with the files.
SERVICES: Mapping[str, Sequence[str]] = {
    "helloworld.Greeter": ("SayHello",),
    "prodcon.ProducerConsumer": ("ConsumeByte", "ConsumeStream"),
    "link.Link": ("Send", "Stream"),
}
STREAMS = ("prodcon.ProducerConsumer/ConsumeStream", contract.GENERIC_STREAM)  # methods to which many messages go
RESERVED_ENV = (
    contract.PORT,  # Knative's webhook refuses these four (Serving, k8s_validation.go reservedEnvVars) ...
    contract.K_SERVICE,
    contract.K_CONFIGURATION,
    contract.K_REVISION,
    contract.K_SINK,  # ... SinkBinding writes these three ...
    contract.K_CE_OVERRIDES,
    contract.K_CA_CERTS,
    contract.GUEST_PORT,  # ... and vHive this one
)
LABEL_PATTERN = r"[a-z](?:[-a-z0-9]*[a-z0-9])?"
MOST_TASKS = 1_000_000  # of a call
LONGEST_LABEL = 63  # RFC 1035
# Of a chain's own load, as of any (`toolkit.load.pacing`): what is kept of so many calls fits in memory.
_MOST_CALLS, _MOST_AT_A_TIME, _MOST_RATE = 5_000_000, 10_000, 1_000_000
_WORD = r"[A-Za-z_][A-Za-z0-9_]*"
_LABEL_WORDS = "a DNS-1035 label (a-z, 0-9 and -, a letter first, no - at the end)"
_ONE_NAMESPACE = (
    "there is no such key: a Trigger, its broker and its subscriber live in one namespace, "
    "so a chain has one, named after the chain"
)
_NAMESPACE = {"namespace": _ONE_NAMESPACE}
# Eventing reads a DeliverySpec's times with github.com/rickb777/date/period, which keeps one decimal of a second, and
# hours in 16 bits of tenths; a timeout that comes out as 0 is refused (pkg/apis/duck/v1/delivery_types.go).
_MOST_PERIOD = 3276 * 3600
_TENTHS = "Knative Eventing reads one decimal of a second, so less than 100ms would be none"


def _reserved_function(name: str) -> str | None:
    if name == contract.LEDGER:
        return f"{name!r} is what remembers tasks and joins; choose another name for the function"
    if name in (contract.CALLER, contract.BROKER):
        return f"{name!r} is what traces call the {name} itself; choose another name for the function"
    return None


def _reserved_chain(name: str) -> str | None:
    if name == "default" or name.startswith(("kube-", "knative-")):
        return f"{shown(name)} is a namespace of the cluster's own, and the chain's name becomes its namespace"
    return None


def _reserved_env(name: str) -> str | None:
    if name in RESERVED_ENV or name.startswith("TOOLKIT_"):
        return f"{name[:80]} is set by the platform; choose another name"
    return None


def _password(url: str) -> str | None:
    if "@" in url.partition("://")[2].partition("/")[0]:
        return "a password does not belong in the file; set REDIS_URL, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    return None


def _bad_handler(text: str) -> str | None:
    """Why `text` is no handler: `file.py:function` inside the chain's folder, or `package.module:function`."""
    path, colon, function = text.rpartition(":")
    if not colon or not _identifier(function):
        return f"{shown(text)} is no handler; write handlers.py:function or package.module:function"
    if path.startswith(("/", "~")) or "\\" in path or ".." in path.split("/"):
        return f"{shown(text)} leaves the chain's folder; handlers lie in it, or in an installed package"
    if path.endswith(".py"):
        parts = path[:-3].split("/")
        return None if all(parts) and "." not in parts and ":" not in path else _not_a_file(text)
    if "/" in path or not all(_identifier(part) for part in path.split(".")):
        return f"{shown(text)} is no handler; write handlers.py:function or package.module:function"
    return None


def _not_a_file(text: str) -> str:
    return f"{shown(text)} names no file; write handlers.py:function or folder/handlers.py:function"


def _identifier(text: str) -> bool:
    return text.isidentifier() and not keyword.iskeyword(text)


NAME_OF_CHAIN = Text(_LABEL_WORDS, LABEL_PATTERN, LONGEST_LABEL, _reserved_chain, "my-chain")
NAME_OF_FUNCTION = Text(_LABEL_WORDS, LABEL_PATTERN, LONGEST_LABEL, _reserved_function, "my-function")
NAME_OF_BROKER = Text(_LABEL_WORDS, LABEL_PATTERN, LONGEST_LABEL, example="default")
NAME_OF_CHOICE = Text("a choice's name (a label)", LABEL_PATTERN, LONGEST_LABEL, example="route")
NAME_OF_PARAMETER = Text("a parameter's name (a-z, 0-9 and _, a letter first)", NAME, LONGEST_LABEL, example="length")
# As Kubernetes has it (apimachinery, util/validation/validation.go, IsRelaxedEnvVarName); `notes` knows older ones.
NAME_OF_ENV = Text("an environment variable's name", r"[ -<>-~]+", 255, _reserved_env, "MY_SETTING")
REFERENCE = Text("the name of a function")
# The pattern says as much of `_bad_handler` as editors can check.
HANDLER = Text("a handler", r"(?![/~])(?!(?:[^:]*/)?\.\.?[/:])[^:\\]+:[^-\s:.,/\\(){}\[\]]+", 255, _bad_handler)
METHOD = Text("a method", rf"{_WORD}(?:\.{_WORD})*/{_WORD}", 255, example="prodcon.ProducerConsumer/ConsumeByte")
# Quotes and % are encoded by some CloudEvents SDKs on the wire and by others not; a Trigger's filter compares the wire.
EVENT_TYPE = Text(
    'an event type (visible ASCII without spaces, " and %)', r"[!#$&-~]+", 255, example="com.example.greeting"
)
PATH = Text("a path of HTTP requests", r"/[-A-Za-z0-9._~/]*", 255, example="/calculate")
IMAGE = Text("a container image", r"[-A-Za-z0-9._/:@]+", 512, example="docker.io/vhiveease/aes-go:latest")
NAME_OF_SUB_CHAIN = Text(
    "the name of a chain, or a folder in this one",
    r"[A-Za-z0-9_][-A-Za-z0-9._]*(?:/[A-Za-z0-9_][-A-Za-z0-9._]*)*",
    255,
    example="chained-serving",
)
REQUIREMENT = Text(
    "a pip requirement by name and version",
    r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?(?:\[[A-Za-z0-9._, -]+\])?"
    r"(?: *(?:~=|===?|!=|<=?|>=?) *[A-Za-z0-9.*+!_-]+(?: *, *(?:~=|===?|!=|<=?|>=?) *[A-Za-z0-9.*+!_-]+)*)?",
    255,
    example="pillow>=11",
)
ABOUT = Text("a text", longest=1000)

ROUNDS = Number("rounds", 1, MOST, zero="leave it out when the edge does not lead back")

PARAMETER = Record(
    "a parameter",
    {
        "default": Key(
            Plain(), "its value without --set; tells its kind: 4KiB, 250ms, 3, 1.5, true or a text", required=True
        ),
        "about": Key(ABOUT, "what it changes, in a few words"),
        "min": Key(Plain(), "the least it may be"),
        "max": Key(Plain(), "the most it may be"),
    },
)
FUNCTION = Record(
    "a function",
    {
        "handler": Key(HANDLER, "the code: `file.py:function` in the chain's folder, or `package.module:function`"),
        "join": Key(Joined(), "events: handles all of a call together: all, parts, or how many"),
        "gateway": Key(PATH, "takes HTTP requests of this path, has the chain answer them; needs no handler"),
        "image": Key(IMAGE, "a container image of a stranger that speaks its method, instead of a handler"),
        "command": Key(Listing(ABOUT, "words"), "a program of a stranger that listens on $PORT, instead of a handler"),
        "prepare": Key(Listing(ABOUT, "words"), "what builds the program, once for as long as the folder is the same"),
        "chain": Key(NAME_OF_SUB_CHAIN, "a whole chain in its place: one of the catalogue, or a folder in this one"),
        "set": Key(Table(NAME_OF_PARAMETER, Plain(), "parameters"), "the parameters of that chain, as --set would"),
        "repeat": Key(Number(), "how many copies stand in a row; 0 joins the neighbours"),
        "parallel": Key(Number("copies", 1, zero="leave the function out"), "how many copies stand side by side"),
        "replicas": Key(Whole("replicas", 1, 100), "how many processes or pods serve it"),
        "env": Key(
            Table(NAME_OF_ENV, Text("a text", longest=32768), "environment variables"),
            "its environment; `${name}` is a parameter's value",
        ),
        "protocol": Key(Choice(("h2c", "http1")), "told by its edges when left out: h2c for calls, http1 for events"),
        "about": Key(ABOUT, "what it does, in a few words"),
        **cluster.KEYS,
    },
    {**_NAMESPACE, **cluster.REFUSED},
    one_of=(("handler",), ("gateway",), ("image", "command"), ("chain",)),
)
EDGE = Record(
    "an edge",
    {
        "from": Key(REFERENCE, "the function that sends", required=True),
        "to": Key(REFERENCE, "the function that receives", required=True),
        "via": Key(Choice(("call", "event")), "call (gRPC) or event (CloudEvent through the broker)", required=True),
        "method": Key(
            METHOD, f"calls: `package.Service/Method`; {contract.GENERIC_METHOD} when left out", only=("via", "call")
        ),
        "type": Key(EVENT_TYPE, "events: the CloudEvents type; `CHAIN.FROM` when left out", only=("via", "event")),
        "count": Key(Amount(), "messages over it in one handling: 16, `${width}`, 0..1, 1..; 1 when left out"),
        "choice": Key(NAME_OF_CHOICE, "of the edges out of a function with the same choice, one is taken"),
        "loop": Key(ROUNDS, "how often the way to a message may lead over it; it may then lead back"),
        "retry": Key(
            Number("attempts", 0, 100), "calls: attempts after the first, when one fails for now", only=("via", "call")
        ),
        "fallback": Key(REFERENCE, "calls: the function in whose place it leads", only=("via", "call")),
        "transfer": Key(
            Chosen(get_args(contract.Transfer)), "how the data travels: inline, stream, file, s3, redis, `${name}`"
        ),
        "tasks": Key(
            Number("tasks", 1, MOST_TASKS, zero="leave it out when there are none"),
            "events: what leaves are tasks, spawned while it runs, so many of a call at most",
            only=("via", "event"),
        ),
        "when": Key(Choice(("done",)), "events: one is sent when all tasks of a call are done", only=("via", "event")),
    },
    _NAMESPACE,
)
DELIVERY = Record(
    "a delivery",
    {
        "retry": Key(Whole("attempts after the first", 0, 2**31 - 1), "attempts after the first"),
        "backoff": Key(Choice(("exponential", "linear")), "how the waits between attempts grow"),
        "delay": Key(Duration(0, _MOST_PERIOD), "the first wait"),
        "timeout": Key(Duration(0.1, _MOST_PERIOD, why=_TENTHS), "how long one attempt may take"),
        "dead-letter": Key(REFERENCE, "the function that gets what could not be delivered"),
    },
)
BROKER = Record(
    "a broker",
    {
        "name": Key(NAME_OF_BROKER, "its name in the chain's namespace"),
        "acknowledge": Key(Choice(("sync", "async")), "answer the producer after the deliveries, or before them"),
        "delivery": Key(DELIVERY, "what happens when a function does not take an event"),
    },
    _NAMESPACE,
)
_S3_URL = Text("a URL", r"https?://[^\s/]+.*", 2048, _password, "http://minio.storage:9000")
_REDIS_URL = Text("a URL of Redis", r"rediss?://[^\s/]+.*|unix://.+", 2048, _password, "redis://redis.storage:6379")
STORE = Record(
    "a store",
    {
        "s3": Key(Filled(_S3_URL), "the endpoint of an S3-compatible service"),
        "bucket": Key(
            Filled(Text("a bucket's name", r"[a-z0-9][-.a-z0-9]{1,61}[a-z0-9]", example="my-bucket")), "its bucket"
        ),
        "region": Key(Filled(Text("a region", r"[-a-zA-Z0-9]+", 100, example="us-east-1")), "its region"),
        "redis": Key(Filled(_REDIS_URL), "a Redis server"),
        "secret": Key(
            Filled(Text("a Secret's name", rf"{LABEL_PATTERN}", LONGEST_LABEL, example="store")),
            "the Secret with its keys, on a cluster",
        ),
    },
)
LOAD = Record(
    "a load",
    {
        "requests": Key(Whole("calls", 1, _MOST_CALLS), "how many calls; `--requests` and `--duration` win"),
        "rate": Key(
            amounts.Number("a number of calls a second", 0.001, _MOST_RATE),
            "calls due a second, an open loop; `--rate`, `--concurrency`, `--arrivals` and `--think` win",
        ),
        "concurrency": Key(
            Whole("calls at a time", 1, _MOST_AT_A_TIME),
            "calls open at a time, a closed loop; `--rate`, `--concurrency` and `--arrivals` win",
        ),
    },
    one_of=(("rate",), ("concurrency",)),
    may_lack_all=True,
    least=1,
)
CHAIN = Record(
    "a chain",
    {
        "name": Key(NAME_OF_CHAIN, "what the chain is called, on the screen and as its namespace", required=True),
        "about": Key(ABOUT, "what it does, in a sentence"),
        "parameters": Key(Table(NAME_OF_PARAMETER, Knob(PARAMETER), "parameters"), "the knobs that --set turns"),
        "functions": Key(Table(NAME_OF_FUNCTION, FUNCTION, "functions", least=1), "its nodes, by name", required=True),
        "entry": Key(REFERENCE, "the function that callers reach; told by the edges when left out"),
        "edges": Key(Listing(EDGE, "edges"), "its links"),
        "broker": Key(BROKER, "the broker of its event edges"),
        "expect": Key(
            HANDLER,
            "judges each answer: `work.py:validate_output`, "
            "called with (answer, seed, size), and `parameters` if it takes them",
        ),
        "load": Key(LOAD, "what `toolkit run` sends of its own accord; a sub-chain's says nothing"),
        "store": Key(STORE, "where transfers keep data; what it does not say, the environment does"),
        "requires": Key(Listing(REQUIREMENT, "pip requirements"), "what its handlers need beside the toolkit"),
    },
    _NAMESPACE,
)
