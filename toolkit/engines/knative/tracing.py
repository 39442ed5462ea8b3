"""Makes the platform send its spans somewhere, and takes that back: the steps; each is at home in a module of its own.

May live here: the order of steps, and what is ours among the objects. May not: keys and values (`observability`), how a
ConfigMap remembers what it was (`configmaps`), how a Deployment is restarted (`restarts`).

Spans must have somewhere to go before anybody sends them, and nobody may send any more before that goes away. Each step
can be done again, so whoever was interrupted begins anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from toolkit import manifests
from toolkit.engines import zipkin_client
from toolkit.engines.knative import configmaps, installed, observability, restarts, tracing_objects
from toolkit.engines.knative.api import FORBIDDEN, Api, Refused
from toolkit.engines.knative.configmaps import Edit
from toolkit.engines.knative.installed import Installed
from toolkit.engines.knative.kinds import CONFIG_MAP, DEPLOYMENT, POD, Key, Kind, labels, name
from toolkit.engines.knative.observability import SERVING, Place
from toolkit.engines.knative.restarts import Name
from toolkit.engines.knative.settings import READY_WITHIN_S, Audience
from toolkit.errors import EngineError
from toolkit.manifests.names import CLUSTER_DOMAIN

MARK = "kn-bench.dev/tracing"  # on the template of a Deployment that was restarted: which settings it has read
REVISION = "serving.knative.dev/revision"  # a label of every pod of a function
_UNDO = "'toolkit tracing setup --undo' takes back what was done by then"


@dataclass(frozen=True, slots=True)
class Wish:
    """Where spans are to go: `endpoint` takes OTLP over HTTP, `zipkin` is a Zipkin's base URL; with neither, both a
    collector and a Zipkin are brought up in `namespace`. `sample` is the share of requests that are traced."""

    endpoint: str | None = None
    zipkin: str | None = None
    namespace: str = manifests.NAMESPACE
    sample: float = 1.0
    cluster_domain: str = CLUSTER_DOMAIN
    images: manifests.Images = field(default_factory=manifests.Images)
    ready_within_s: float = READY_WITHIN_S

    def otlp(self) -> str:
        return self.endpoint or manifests.otlp_endpoint(self.namespace, self.cluster_domain)

    def spans(self) -> str:
        """Where Zipkin's JSON is posted to."""
        if self.zipkin:
            return zipkin_client.spans_url(self.zipkin)
        return manifests.zipkin_endpoint(self.namespace, self.cluster_domain)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was done, or with a dry run would be: objects made or gone, ConfigMaps changed, Deployments restarted."""

    objects: Sequence[Key]
    edits: Sequence[Edit]
    restarted: Sequence[Name]
    told: Sequence[str] = ()


async def setup(api: Api, wish: Wish, audience: Audience, *, dry_run: bool = False) -> Outcome:
    """Returns once the platform sends its spans. Raises EngineError; what was done by then stays, and can be undone.

    With `dry_run` the cluster judges every change, and nothing is changed.
    """
    found = await _knative(api)
    wanted, objects = _wanted(found, wish), _objects(found, wish)
    judged = await _edited(api, wanted, wish, dry_run=True)
    made = await tracing_objects.may_make_namespace(api, wish.namespace) if objects else False
    await tracing_objects.see_that_it_is_free(api, objects)
    everything = [manifests.tracing_namespace(wish.namespace, tracing_objects.OURS)] * made + [*objects]
    keys = [Key.of(each) for each in everything]
    told = [*_remarks(found, wish), *(line for each in judged for line in each.told)]
    if dry_run:
        targets = await _unread(api, found, judged)
        return Outcome(keys, judged, [each for each, _ in targets], told)
    try:
        edits, restarted = await _carried_out(api, found, wish, wanted, everything, audience)
    except EngineError as error:
        step = f"{error.next_step}; {_UNDO}" if error.next_step else _UNDO
        raise EngineError(str(error), next_step=step) from error
    return Outcome(keys, edits, restarted, [*told, *await _about_functions(api, edits)])


async def _carried_out(
    api: Api,
    found: Installed,
    wish: Wish,
    wanted: Mapping[Place, Mapping[str, str]],
    objects: Sequence[manifests.Manifest],
    audience: Audience,
) -> tuple[Sequence[Edit], Sequence[Name]]:
    for each in objects:
        await api.apply(each)
    ours = [Name(wish.namespace, name(each)) for each in objects if Kind.of(each) == DEPLOYMENT]
    await restarts.rolled_out(api, ours, wish.ready_within_s, audience, _next_step_for_images(wish))
    edits = await _edited(api, wanted, wish, dry_run=False)
    return edits, await _read_anew(api, await _unread(api, found, edits), wish.ready_within_s, audience)


async def undo(api: Api, namespace: str, audience: Audience, within_s: float, *, dry_run: bool = False) -> Outcome:
    """Returns once all is as it was before `setup`, but for what others have changed since, which is told.

    Raises EngineError.
    """
    edits = [each for place in observability.EVERY if (each := await _restored(api, place, dry_run)) is not None]
    told = [line for each in edits for line in each.told]
    marked = [(which, None) for which in await _data_plane(api, None) if await _mark(api, which) is not None]
    if not dry_run:
        restarted = await _read_anew(api, marked, within_s, audience)
    else:
        restarted = [which for which, _ in marked]
    noted = (configmaps.memory(each.was) for each in edits)
    named = (each.namespace for each in noted if each is not None and each.namespace)
    namespaces = dict.fromkeys((namespace, *named, *await tracing_objects.namespaces(api)))
    gone: list[Key] = []
    for space in namespaces:
        try:
            removed, left = await tracing_objects.remove(api, space, within_s, dry_run=dry_run)
        except Refused as error:
            if error.code != FORBIDDEN:
                raise
            removed, left = [], [f"what may be left in the namespace {space} stays: {error}"]
        gone += removed
        told += left
    told += [] if dry_run else await _about_functions(api, edits)
    return Outcome(gone, edits, restarted, told)


async def _knative(api: Api) -> Installed:
    found = await installed.look(api)
    if not any(each.namespace == SERVING for each in found.parts):
        raise EngineError(
            f"Knative Serving is not installed in the cluster {api.server}, so there is no platform to trace",
            next_step="'toolkit doctor' tells what this cluster has and lacks",
        )
    return found


def _wanted(found: Installed, wish: Wish) -> Mapping[Place, Mapping[str, str]]:
    """What each ConfigMap is to say. Raises EngineError."""
    wanted: dict[Place, Mapping[str, str]] = {}
    for place in found.places:
        if place.dialect is not observability.ZIPKIN:
            if place != observability.KOURIER or not wish.otlp().startswith("https:"):
                wanted[place] = place.dialect.wanted(wish.otlp(), wish.sample)
        elif wish.endpoint is not None:
            version = found.versions[place.namespace]
            raise EngineError(
                f"{installed.NAMES[place.namespace]} {version} sends its spans to a Zipkin only, not by OTLP",
                next_step="name a Zipkin with --zipkin URL, or leave both away and get one",
            )
        else:
            wanted[place] = place.dialect.wanted(wish.spans(), wish.sample)
    return wanted


def _objects(found: Installed, wish: Wish) -> Sequence[manifests.Manifest]:
    """What has to be there for spans to arrive: nothing of ours when they go elsewhere."""
    if wish.endpoint is not None:
        return ()
    otlp = any(each.dialect is not observability.ZIPKIN for each in found.places)
    zipkin, domain = wish.spans() if wish.zipkin else None, wish.cluster_domain
    ours = tracing_objects.OURS
    return manifests.tracing(wish.namespace, ours, wish.images, zipkin=zipkin, collector=otlp, cluster_domain=domain)


def _remarks(found: Installed, wish: Wish) -> list[str]:
    told: list[str] = []
    gateway = found.gateway
    if gateway is not None and gateway.place is None:
        told.append(
            f"Kourier {observability.shown(gateway.version)} sends no OTLP, so its gateway's spans will be missing"
        )
    if gateway is not None and gateway.place is not None and wish.otlp().startswith("https:"):
        told.append("Kourier's gateway sends no spans to https, so its own will be missing")
    return told


async def _edited(api: Api, wanted: Mapping[Place, Mapping[str, str]], wish: Wish, *, dry_run: bool) -> Sequence[Edit]:
    space = None if wish.endpoint is not None else wish.namespace
    return [
        await configmaps.write(api, place.namespace, place.name, configmaps.setting(values, space), dry_run=dry_run)
        for place, values in wanted.items()
    ]


async def _restored(api: Api, place: Place, dry_run: bool) -> Edit | None:
    """None when there is nothing of ours in it."""
    found = await api.get(CONFIG_MAP, place.name, place.namespace)
    if found is None or configmaps.memory(found) is None:
        return None
    change = configmaps.restoring((place.dialect.protocol, place.dialect.endpoint))
    return await configmaps.write(api, place.namespace, place.name, change, dry_run=dry_run)


# --- the data plane, which reads its settings when it starts


async def _data_plane(api: Api, namespaces: Iterable[str] | None) -> Sequence[Name]:
    """The Deployments that are there of those that read their settings at start."""
    there: list[Name] = []
    for space, names in observability.READ_AT_START.items():
        if namespaces is None or space in namespaces:
            found = {name(each) for each in await api.every_known(DEPLOYMENT, space)} if names else set()
            there += [Name(space, each) for each in names if each in found]
    return there


async def _mark(api: Api, which: Name) -> str | None:
    found = await api.get(DEPLOYMENT, which.name, which.namespace)
    return None if found is None else restarts.template_notes(found).get(MARK)


async def _unread(api: Api, found: Installed, edits: Sequence[Edit]) -> Sequence[tuple[Name, str | None]]:
    """Who has not yet read what we wrote, and the mark of what there is to read."""
    marks = {}
    for place, edit in zip(_wanted_places(found, edits), edits, strict=True):
        if place.dialect is observability.OTLP and configmaps.memory(edit.now) is not None:
            marks[place.namespace] = _digest({key: configmaps.data(edit.now)[key] for key in place.dialect.keys})
    plane = await _data_plane(api, marks)
    return [(each, marks[each.namespace]) for each in plane if await _mark(api, each) != marks[each.namespace]]


def _wanted_places(found: Installed, edits: Sequence[Edit]) -> Sequence[Place]:
    by_name = {str(place): place for place in found.places}
    return [by_name[each.place] for each in edits]


def _digest(values: Mapping[str, str]) -> str:
    return hashlib.blake2b(json.dumps(values, sort_keys=True).encode(), digest_size=6).hexdigest()


async def _read_anew(
    api: Api, which: Sequence[tuple[Name, str | None]], within_s: float, audience: Audience
) -> Sequence[Name]:
    """Restarts them, and waits for all of the data plane: one that was interrupted may have left some on their way."""
    restarted = [each for each, mark in which if await restarts.restart(api, each, {MARK: mark})]
    step = "'kubectl get pods -A' tells more; try again once they run"
    await restarts.rolled_out(api, await _data_plane(api, None), within_s, audience, step)
    return restarted


async def _about_functions(api: Api, edits: Sequence[Edit]) -> list[str]:
    """What becomes of pods that run: each has a queue-proxy that was told of the old settings when it was made.

    Serving's controller makes every revision's Deployment anew when `config-observability` changes; `config-tracing` is
    not among what it does so for (`configsToResync` in serving/pkg/reconciler/revision/controller.go).
    """
    names = {str(observability.place(SERVING, otlp=otlp)): otlp for otlp in (True, False)}
    changed = [names[each.place] for each in edits if each.place in names and each.keys]
    if not changed:
        return []
    try:
        pods = await api.every(POD, labels=REVISION)
    except Refused:
        pods = None
    if pods == []:
        return []
    running = "functions that run"
    if pods is not None:
        count = len({(each["metadata"]["namespace"], labels(each)[REVISION]) for each in pods})
        running = f"{count} revision{'s' * (count > 1)} of functions"
    if changed[0]:
        return [f"Knative is replacing the pods of {running}: wait for that before you measure ('kubectl get pods -A')"]
    return [f"the pods of {running} stay as they are: deploy those again for the spans of their queue-proxies"]


def _next_step_for_images(wish: Wish) -> str:
    return (
        "name images that the nodes can pull with --zipkin-image and --collector-image, or a Zipkin or a collector "
        f"that is there with --zipkin or --endpoint; 'kubectl get pods -n {wish.namespace}' tells more"
    )
