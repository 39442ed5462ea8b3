"""The three ways in which the broker says no to an event. May live here: names of refusals, nothing that decides."""

from __future__ import annotations

from toolkit.sdk.cloudevents import EventError


class Undecodable(EventError):
    """`binding.ToEvent` fails: 400 at the ingress, 502 inside when a subscriber replies with it."""


class Invalid(EventError):
    """It decodes, and `Event.Validate` refuses it: 400 at the ingress, also for a reply."""


class Unsendable(EventError):
    """No header, or no JSON, can carry it: the ingress answers 500."""
