"""One event to one Trigger's subscriber: attempts, redirects, the reply's way back, and the dead letter sink.

May live here: the dispatcher's I/O and its order of steps (eventing `kncloudevents/event_dispatcher.go` and
`broker/filter`). The rules themselves are in `policy`, the bytes in `wire`, what counts as an event in `event`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from urllib.parse import urljoin

from toolkit.engines.local.broker import answers, event, policy, tracing, wire
from toolkit.engines.local.broker.config import BrokerConfig, DeliveryConfig, TriggerConfig
from toolkit.engines.local.broker.event import Message
from toolkit.engines.local.broker.filters import Filter, compile_filters
from toolkit.engines.local.broker.incidents import Incidents
from toolkit.engines.local.broker.policy import Failure
from toolkit.engines.local.broker.tracing import Carried
from toolkit.sdk.http1 import Client, Response, TruncatedError

_REDIRECTED = frozenset({301, 302, 303, 307, 308})
_REDIRECTS = 10  # requests per attempt, as net/http's client

Reply = tuple[Message, Carried]
Outcome = Reply | Failure | None  # None: delivered, nothing comes back
Accept = Callable[[Message, Carried], Awaitable[int]]  # the ingress, for replies: an HTTP status


@dataclass(slots=True)
class Trigger:
    """A Trigger made ready: everything that does not depend on the event."""

    name: str
    targets: tuple[wire.Target, ...]
    matches: Filter | None
    delivery: DeliveryConfig
    timeout_s: float | None
    sink: wire.Target | None
    to_subscriber: wire.Form
    to_sink: wire.Form
    turn: int = field(default=0)  # whose turn it is among the replicas

    def next_target(self) -> wire.Target:
        self.turn = (self.turn + 1) % len(self.targets)
        return self.targets[self.turn - 1]


@dataclass(slots=True, eq=False)
class Leg:
    """One event's way to one Trigger. `ttl` are the hops it has left; `dies`: why the Trigger's filter dies of it.

    `at_stake` is what is lost if this is cut off: the event, or the reply its subscriber gave. None: nothing is,
    because the leg is over, or because the reply has come in and has legs of its own.
    """

    trigger: Trigger
    message: Message
    ttl: int
    carried: Carried
    dies: str | None = None
    at_stake: Message | None = field(init=False)

    def __post_init__(self) -> None:
        self.at_stake = self.message


def prepare(broker: BrokerConfig, trigger: TriggerConfig) -> Trigger:
    """Raises ConfigError for filters that cannot be compiled."""
    delivery = policy.effective(broker, trigger)
    structured = delivery.format == "json"
    return Trigger(
        trigger.name,
        tuple(wire.target(url) for url in trigger.subscribers),
        compile_filters(trigger.filters),
        delivery,
        delivery.timeout_s or None,
        wire.target(delivery.dead_letter) if delivery.dead_letter else None,
        wire.form(broker.namespace, prefer=True, structured=structured),
        wire.form(broker.namespace, prefer=False, structured=structured),
    )


class Dispatcher:
    """Delivers for one broker. `accept` is its ingress, where replies go; `url` what that is called in error texts."""

    def __init__(self, client: Client, incidents: Incidents, accept: Accept, url: Callable[[], str]) -> None:
        self._client, self._incidents, self._accept, self._url = client, incidents, accept, url

    async def deliver(self, leg: Leg) -> bool:
        """Bring the event to the subscriber and its reply back in; False when it is lost: the producer must hear."""
        failure = await self._failure(leg)
        delivered = failure is None or await self._give_up(leg, failure)
        leg.at_stake = None
        return delivered

    async def _failure(self, leg: Leg) -> Failure | None:
        """Why the event, or its reply, did not get through; None: it did."""
        trigger = leg.trigger
        if leg.dies is not None:
            outcome = await self._attempts(trigger, lambda: _nothing(str(leg.dies)))
        else:
            outcome = await self._attempts(trigger, lambda: self._once(trigger, leg.message, leg.carried))
        if outcome is None or isinstance(outcome, Failure):
            return outcome
        return await self._reply(leg, outcome)

    async def _attempts(self, trigger: Trigger, once: Callable[[], Awaitable[Outcome]]) -> Outcome:
        """`once`, and again while it fails in a way that is retried and the policy has retries left."""
        outcome = await once()
        for retry in range(trigger.delivery.retry or 0):
            if not isinstance(outcome, Failure) or not outcome.retried:
                break
            await asyncio.sleep(policy.wait_s(trigger.delivery, retry))
            outcome = await once()
        return outcome

    async def _once(self, trigger: Trigger, message: Message, carried: Carried) -> Outcome:
        to = trigger.next_target()
        answer = await self._send(to, message, carried, trigger.to_subscriber, trigger.timeout_s)
        if isinstance(answer, Failure):
            return answer
        return self._judge(trigger, to, answer, carried)

    def _judge(self, trigger: Trigger, to: wire.Target, answer: Response, carried: Carried) -> Outcome:
        """What an answer means: delivered, a reply, or a failure."""
        status = answer.status
        if not 200 <= status < 300:
            why = f"{to.url} answered {status}"
            return Failure(why, policy.is_retried(status), status, answer.body, to.url)
        try:
            reply = event.decode(answer.headers, answer.body)
        except event.Undecodable as error:
            self._incidents.warn(trigger.name, f"its subscriber replied with an event that cannot be read: {error}")
            return Failure(f"{to.url} replied with an unreadable event: {error}", retried=True, told=False)
        if reply is not None:
            for doubt in reply.doubts:
                self._incidents.warn(trigger.name, doubt)
            return reply, Carried(tracing.passed_through(answer.headers), carried.trace)
        if not answer.body:
            return None
        self._incidents.warn(
            trigger.name,
            f"its subscriber answered {status} with a body that is no CloudEvent: Knative takes that for a failure"
            " (502 inside) and retries it; answer with an event or with nothing",
        )
        return Failure(f"{to.url} answered {status} with a body that is no CloudEvent", retried=True, told=False)

    async def _reply(self, leg: Leg, reply: Reply) -> Failure | None:
        """Bring a reply in; its failure is the Trigger's, retried as the delivery itself is."""
        message, with_it = reply
        trigger, url = leg.trigger, self._url()
        as_answered = answers.as_answered(message, leg.ttl)

        leg.at_stake = as_answered

        async def once() -> Outcome:
            outcome = await self._bring_in(leg, as_answered, with_it, url)
            leg.at_stake = as_answered  # again: until it is retried, nobody else answers for it
            return outcome

        outcome = await self._attempts(trigger, once)
        if not isinstance(outcome, Failure):
            return None
        if outcome.status == 400:
            text = "its subscriber's reply was refused by the ingress: not a valid event, or no hops left (a loop?)"
            self._incidents.warn(trigger.name, text)
        elif outcome.retried and trigger.delivery.retry:
            count = policy.attempts(trigger.delivery)
            text = (
                f"its subscriber's reply failed further on and was retried {count} times as a whole: retries multiply"
            )
            self._incidents.warn(trigger.name, text)
        return outcome

    async def _bring_in(self, leg: Leg, message: Message, carried: Carried, url: str) -> Outcome:
        try:
            event.check_sendable(message)
        except event.Unsendable as error:
            text = f'dispatch error: Post "{url}": net/http: invalid header field value'
            return Failure(str(error), retried=True, body=text.encode(), destination=url)
        copy = Message(dict(message.attributes), message.content_type, message.body)

        async def accept() -> int:
            leg.at_stake = None
            return await self._accept(copy, carried)

        # A task of its own: a chain of 255 replies must not become a stack of 255 calls.
        accepted = asyncio.ensure_future(accept())
        try:
            async with asyncio.timeout(leg.trigger.timeout_s):
                status = await accepted
        except TimeoutError:
            text = f'dispatch error: Post "{url}": context deadline exceeded'
            return Failure("the reply was not handled in time", retried=True, body=text.encode(), destination=url)
        if 200 <= status < 300:
            return None
        why = f"the reply was answered {status} by the ingress"
        return Failure(why, policy.is_retried(status), status, destination=url)

    async def _give_up(self, leg: Leg, failure: Failure) -> bool:
        """To the dead letter sink, with the same retries; False when there is none, or it fails too."""
        trigger, message = leg.trigger, leg.message
        leg.at_stake = message  # also after a reply: the dead letter is the event itself
        if trigger.sink is None:
            self._incidents.undelivered(trigger.name, f"{message.describe()} is lost: {failure.why}", message.id)
            return False
        sink = trigger.sink
        if failure.told and len(failure.body) > policy.ERROR_BODY_LIMIT:
            text = (
                f"an error body over {policy.ERROR_BODY_LIMIT} bytes with a dead letter sink kills Knative's dispatcher"
            )
            self._incidents.warn(trigger.name, f"{text}, and every event on its way with it (here: {failure.why})")
        letter = policy.dead_letter(message, failure, leg.ttl)

        async def once() -> Outcome:
            answer = await self._send(sink, letter, leg.carried, trigger.to_sink, trigger.timeout_s)
            if isinstance(answer, Failure) or 200 <= answer.status < 300:
                return answer if isinstance(answer, Failure) else None
            return Failure(f"{sink.url} answered {answer.status}", policy.is_retried(answer.status), answer.status)

        outcome = await self._attempts(trigger, once)
        if isinstance(outcome, Failure):
            text = f"{message.describe()} is lost: {failure.why}, and the dead letter sink: {outcome.why}"
            self._incidents.undelivered(trigger.name, text, message.id)
            return False
        self._incidents.dead_letter(trigger.name, f"{message.describe()} went to {sink.url}: {failure.why}", message.id)
        return True

    async def _send(
        self, to: wire.Target, message: Message, carried: Carried, looks: wire.Form, timeout_s: float | None
    ) -> Response | Failure:
        """One attempt, redirects followed; what keeps an answer from coming is a Failure."""
        try:
            request = wire.post(to, message, carried, looks)
            if timeout_s is None:
                answer = await self._client.exchange(to.address, "POST", request)
            else:
                async with asyncio.timeout(timeout_s):
                    answer = await self._client.exchange(to.address, "POST", request)
                    if answer.status in _REDIRECTED:
                        answer = await self._follow(to, answer, message, carried, looks)
            if timeout_s is None and answer.status in _REDIRECTED:
                answer = await self._follow(to, answer, message, carried, looks)
            return answers.plain(answer)
        except event.Unsendable as error:
            return Failure(str(error), retried=True, told=False)
        except TimeoutError:
            return Failure(f"{to.url} did not answer within {timeout_s} s", retried=True, told=False)
        except TruncatedError as error:
            return answers.truncated(to, error)
        except (ConnectionError, ValueError) as error:
            text = f'dispatch error: Post "{to.url}": {answers.go_error(error, to)}'
            return Failure(f"{to.url}: {error}", retried=True, body=text.encode(), destination=to.url)

    async def _follow(
        self, to: wire.Target, answer: Response, message: Message, carried: Carried, looks: wire.Form
    ) -> Response:
        """As net/http's client: 301, 302 and 303 turn into a GET without the body, 307 and 308 keep both."""
        method = "POST"
        for _ in range(_REDIRECTS - 1):
            location = answer.header(b"location")
            if answer.status not in _REDIRECTED or not location:
                return answer
            if answer.status in (301, 302, 303):
                method = "GET"
                text = f"{to.url} answered {answer.status}: Knative follows with a GET without the event's data"
                self._incidents.warn(to.url, f"{text}, and takes its 2xx for delivered")
            referer = to.url
            to = wire.target(urljoin(to.url, location.decode("latin-1")))
            request = wire.redirected(method, to, message, carried, looks, referer)
            answer = await self._client.exchange(to.address, method, request)
        if answer.status in _REDIRECTED and answer.header(b"location"):
            raise ConnectionError("stopped after 10 redirects")
        return answer


async def _nothing(why: str) -> Failure:
    """An attempt to deliver what the filter dies of: never sent, and tried as often as any other."""
    return Failure(why, retried=True, told=False)
