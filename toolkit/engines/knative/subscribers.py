"""Whether a broker's channel delivers to exactly the Triggers there are. Pure.

That a Trigger is Ready does not say so. Subscriptions that are made at once overwrite each other's entry in the channel
for about 0.1 s, with both Ready all the while: an event of that moment is acknowledged, and lost. And a subscriber can
outlive its Trigger in the channel (several deleted at once do that): each later event is then sent to a Trigger that is
gone, answered 404 and tried again, and with the default channel the producer waits all that time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from toolkit.engines.knative.kinds import Object, name, uid

_TRIGGERS = "/triggers/"


def mismatches(channel: Object, triggers: Sequence[Object], ours: Sequence[Object]) -> list[str]:
    """What is wrong, a line each. `triggers` are all of the namespace, `ours` those that ought to be subscribed."""
    subscribed = _subscribed(channel)
    known = {uid(each): each for each in triggers}
    wanted = {uid(each): each for each in ours}
    return [*_missing(channel, subscribed, wanted), *_extra(sorted(subscribed.keys() - wanted.keys()), known)]


def _missing(channel: Object, subscribed: Mapping[str, str], wanted: Mapping[str, Object]) -> Iterator[str]:
    taken = _taken(channel)
    for trigger, each in wanted.items():
        if trigger not in subscribed:
            yield f"the Trigger {name(each)} is not subscribed"
        elif subscribed[trigger] not in taken:
            yield f"the Trigger {name(each)} is subscribed, and the channel does not send to it yet"


def _extra(subscribed: Sequence[str], known: Mapping[str, Object]) -> Iterator[str]:
    for each in subscribed:
        if each in known:
            yield f"the Trigger {name(known[each])}, which is not of this run, gets its events too"
        else:
            yield f"a subscriber of a Trigger that is gone ({each}) gets each event and refuses it"


def _subscribed(channel: Object) -> dict[str, str]:
    """By the uid of each Trigger that the channel is to send to, that of its Subscription.

    The subscriber's address is the filter's, which ends with the Trigger's uid.
    """
    found = (channel.get("spec") or {}).get("subscribers") or ()
    places = ((str(each.get("subscriberUri", "")), str(each.get("uid", ""))) for each in found)
    return {url.rpartition("/")[2]: subscription for url, subscription in places if _TRIGGERS in url}


def _taken(channel: Object) -> set[str]:
    """The Subscriptions that the channel's dispatcher says it sends to (Channelable's `status.subscribers`)."""
    found = (channel.get("status") or {}).get("subscribers") or ()
    return {str(each.get("uid", "")) for each in found if each.get("ready") == "True"}
