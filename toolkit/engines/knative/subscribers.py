"""Whether a broker's channel delivers to exactly the Triggers there are. Pure.

A Trigger's subscriber can outlive it in the channel (several deleted at once do that): each later event is then sent to
a Trigger that is gone, answered 404 and tried again, and with the default channel the producer waits all that time.
"""

from __future__ import annotations

from collections.abc import Sequence

from toolkit.engines.knative.kinds import Object, name, uid

_TRIGGERS = "/triggers/"


def mismatches(channel: Object, triggers: Sequence[Object], ours: Sequence[Object]) -> list[str]:
    """What is wrong, a line each. `triggers` are all of the namespace, `ours` those that ought to be subscribed."""
    subscribed = set(_subscribed(channel))
    known = {uid(each): each for each in triggers}
    wanted = {uid(each): each for each in ours}
    missing = [
        f"the Trigger {name(each)} is not subscribed" for each_uid, each in wanted.items() if each_uid not in subscribed
    ]
    extra = []
    for each in sorted(subscribed - set(wanted)):
        if each in known:
            extra.append(f"the Trigger {name(known[each])}, which is not of this run, gets its events too")
        else:
            extra.append(f"a subscriber of a Trigger that is gone ({each}) gets each event and refuses it")
    return [*missing, *extra]


def _subscribed(channel: Object) -> list[str]:
    """The uids of the Triggers that the channel sends to: their filter's URL ends with it."""
    found = (channel.get("spec") or {}).get("subscribers") or ()
    urls = (str(each.get("subscriberUri", "")) for each in found)
    return [url.rpartition("/")[2] for url in urls if _TRIGGERS in url]
