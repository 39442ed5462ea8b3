"""A run on a cluster as its trace would be: functions' spans where the recorded platform's spans leave room for them.

The platform's spans are the recorded ones (`recorded.py`), with their own lengths; those around a function last as much
longer as the function does. Ids, names and times are fitted in; nothing else is changed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from itertools import count

from tests.unit.checks.simulation import Run
from tests.unit.traces.recorded import COLD, EVENT, WARM
from toolkit.traces import tree
from toolkit.traces.model import Span

GATEWAY_TAGS = {"telemetry.sdk.name": "envoy", "telemetry.sdk.language": "cpp", "component": "proxy"}


@dataclasses.dataclass(frozen=True)
class _Template:
    """Recorded spans around one request to a function, which is to stand below `inner` from `begin` to `end`."""

    spans: Sequence[Span]
    inner: str
    begin: int
    end: int
    function: str

    @property
    def start(self) -> int:
        return min(each.timestamp or 0 for each in self.spans)


def _served(spans: Sequence[Span], function: str) -> _Template:
    """From the activator to the function's container: all that is below the activator's first span."""
    top = next(each for each in spans if each.service == "activator" and each.kind == "SERVER")
    kept = _below(spans, top)
    inner = next(each for each in kept if each.service == function and each.kind == "CLIENT")
    begin = (inner.timestamp or 0) + 200
    return _Template(kept, inner.id, begin, _end(inner) - 200, function)


def _below(spans: Sequence[Span], top: Span) -> list[Span]:
    arranged = tree.build(spans)
    at = next(i for i, each in enumerate(arranged.spans) if each.id == top.id)
    return [each for i, each in enumerate(arranged.spans) if i == at or at in arranged.ancestors(i)]


def _end(span: Span) -> int:
    return (span.timestamp or 0) + (span.duration or 0)


CALLED = _served(WARM, "tcold")
CALLED_COLD = _served(COLD, "tcold")
DELIVERED = _served(EVENT, "tsink")
TO_FUNCTION = next(each for each in EVENT if each.name.startswith("send http://tsink."))
BRANCH = next(  # the channel's sending to the trigger whose filter lets the event through
    each
    for each in EVENT
    if each.service == "inmemorychannel-dispatcher" and each.kind is None and TO_FUNCTION in _below(EVENT, each)
)
TO_TRIGGER = _below(EVENT, BRANCH)
INTO_BROKER = [each for each in EVENT if each not in TO_TRIGGER and each not in DELIVERED.spans]
REQUEST = next(each for each in EVENT if each.parent == TO_FUNCTION.id)


class _Composing:
    """One run's spans, laid out anew. `gateway`: the ingress exports its spans as well."""

    def __init__(self, spans: Sequence[Span], *, gateway: bool, cold: bool) -> None:
        self.children = {each.id: [below for below in spans if below.parent == each.id] for each in spans}
        self.gateway, self.called = gateway, CALLED_COLD if cold else CALLED
        self.made: list[Span] = []
        self._numbers = count(1)

    def lay(self, span: Span, begin: int, parent: str | None) -> int:
        """`span` and all that follows from it, from `begin` on; when it is over."""
        at = begin + 50
        receivers = self.children[span.id]
        if span.kind == "PRODUCER":
            at = self._through_broker(span, receivers, at)
        else:
            for below in receivers:
                at = self._to(below, span.id, at) if span.kind == "CLIENT" else self.lay(below, at, span.id)
        self.made.append(dataclasses.replace(span, parent=parent, timestamp=begin, duration=at + 50 - begin))
        return at + 50

    def _to(self, receiver: Span, above: str, begin: int, used: _Template | None = None) -> int:
        """A request through ingress, activator and queue-proxy to a function."""
        template = used or self.called
        inner = dict[str, str]()
        edge = begin + (100 if self.gateway else 0)
        function = self.lay(receiver, edge + template.begin - template.start, f"{next(self._numbers):08x}beefbeef")
        grown = function - (edge + template.end - template.start)
        top = f"{next(self._numbers):08x}cafecafe"  # the ingress' span, exported or not
        placed = self._place(template.spans, template, edge, grown, top, inner, receiver.service or "", receiver.trace)
        self._reparent(receiver, inner[template.inner])
        over = max(map(_end, placed))
        if self.gateway:
            tags = {**GATEWAY_TAGS, "http.url": f"http://{receiver.service}.default/"}
            envoy = Span(receiver.trace, top, "ingress", "kourier-knative", above, "SERVER", begin, over + 60 - begin)
            self.made.append(dataclasses.replace(envoy, tags=tags))
            over += 60
        return over

    def _through_broker(self, sender: Span, receivers: Sequence[Span], begin: int) -> int:
        start = min(each.timestamp or 0 for each in INTO_BROKER)
        hole = _Template(INTO_BROKER, BRANCH.parent or "", BRANCH.timestamp or 0, _end(BRANCH), "")
        sent_at = begin + (BRANCH.timestamp or 0) - start
        inner = dict[str, str]()
        ids = {each.id: f"{next(self._numbers):08x}feedfeed" for each in INTO_BROKER}
        overs = [self._to_trigger(each, ids[BRANCH.parent or ""], sent_at) for each in receivers]
        grown = max([*overs, sent_at]) - (begin + hole.end - start)
        inner.update(ids)
        placed = self._place(INTO_BROKER, hole, begin, grown, sender.id, inner, "", sender.trace)
        return max(map(_end, placed))

    def _to_trigger(self, receiver: Span, above: str, begin: int) -> int:
        start = BRANCH.timestamp or 0
        request_at = begin + (REQUEST.timestamp or 0) - start + 100
        ids = {each.id: f"{next(self._numbers):08x}deaddead" for each in TO_TRIGGER}
        over = self._to(receiver, ids[REQUEST.id], request_at, DELIVERED)
        grown = over - (begin + _end(REQUEST) - start - 100)
        hole = _Template(TO_TRIGGER, REQUEST.id, (REQUEST.timestamp or 0) + 100, _end(REQUEST) - 100, "tsink")
        placed = self._place(TO_TRIGGER, hole, begin, grown, above, ids, receiver.service or "", receiver.trace)
        return max(map(_end, placed))

    def _place(
        self,
        spans: Sequence[Span],
        template: _Template,
        begin: int,
        grown: int,
        above: str,
        ids: dict[str, str],
        function: str,
        trace: str,
    ) -> list[Span]:
        """These spans from `begin` on, with what is after the hole moved by `grown`; roots hang below `above`."""
        for each in spans:
            ids.setdefault(each.id, f"{next(self._numbers):08x}abcdabcd")

        def moved(at: int) -> int:
            return begin + at - template.start + (grown if at >= template.end else 0)

        placed = [
            dataclasses.replace(
                each,
                trace=trace,
                id=ids[each.id],
                parent=ids.get(each.parent or "", above),
                name=each.name.replace(template.function or "\0", function),
                service=function if each.service == template.function else each.service,
                timestamp=moved(each.timestamp or 0),
                duration=max(1, moved(_end(each)) - moved(each.timestamp or 0)),
                tags={key: text.replace(template.function or "\0", function) for key, text in each.tags.items()},
            )
            for each in spans
        ]
        self.made += placed
        return placed

    def _reparent(self, receiver: Span, parent: str) -> None:
        at = next(i for i, each in enumerate(self.made) if each.id == receiver.id)
        self.made[at] = dataclasses.replace(self.made[at], parent=parent)


def on_a_cluster(run: Run, *, gateway: bool = False, cold: bool = False) -> Run:
    """The same run, as Knative would have carried it: same receipts, and spans with the platform's between them."""
    spans: list[Span] = []
    for root in [each for each in run.spans if each.parent is None]:
        own = [each for each in run.spans if each.trace == root.trace]
        composing = _Composing(own, gateway=gateway, cold=cold)
        composing.lay(root, root.timestamp or 0, None)
        spans += composing.made
    return dataclasses.replace(run, spans=spans)


def without_platform(run: Run, is_platform: Callable[[Span], bool]) -> Run:
    """The functions' spans at their times, each below the one it would be below if the platform told nothing."""
    by_id = {each.id: each for each in run.spans}
    senders = {
        (each.kind, each.tags["toolkit.message"]): each.id for each in run.spans if "toolkit.message" in each.tags
    }

    def above(span: Span) -> str | None:
        parent = by_id.get(span.parent or "")
        if parent is None or not is_platform(parent):
            return span.parent
        return senders["PRODUCER" if span.kind == "CONSUMER" else "CLIENT", span.tags["toolkit.message"]]

    kept: Iterable[Span] = (each for each in run.spans if not is_platform(each))
    return dataclasses.replace(run, spans=[dataclasses.replace(each, parent=above(each)) for each in kept])
