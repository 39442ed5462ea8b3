"""Changes keys of somebody else's ConfigMap so that they can be put back: what was there is noted in an annotation.

May live here: reading, changing and writing one ConfigMap. May not: which keys (`observability`), when (`tracing`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from toolkit.engines.knative.api import Api, accepted
from toolkit.engines.knative.kinds import CONFIG_MAP, Object, notes
from toolkit.errors import EngineError

BEFORE = "kn-bench.dev/before"
_CONFLICT, _TRIES = 409, 5


@dataclass(frozen=True, slots=True)
class Memory:
    """By key: what was there (None: nothing), and what was written. `namespace` holds the objects that came with it."""

    before: Mapping[str, str | None]
    wrote: Mapping[str, str]
    namespace: str | None = None

    def __str__(self) -> str:
        return json.dumps({"before": self.before, "wrote": self.wrote, "namespace": self.namespace}, sort_keys=True)


@dataclass(frozen=True, slots=True)
class Edit:
    """A ConfigMap as it was found and as it is now; `told` are lines for the user."""

    place: str
    was: Object
    now: Object
    told: Sequence[str] = field(default=())

    @property
    def changed(self) -> bool:
        return self.was != self.now

    @property
    def keys(self) -> Mapping[str, tuple[str | None, str | None]]:
        """Before and after, of each key that is not as it was."""
        was, now = data(self.was), data(self.now)
        every = sorted({*was, *now})
        return {key: (was.get(key), now.get(key)) for key in every if was.get(key) != now.get(key)}


Change = Callable[[Object], Edit]


def data(found: Object) -> Mapping[str, str]:
    return found.get("data") or {}


def place(found: Object) -> str:
    return f"{found['metadata']['namespace']}/{found['metadata']['name']}"


def memory(found: Object) -> Memory | None:
    """What we noted; None when we have changed nothing. Raises EngineError when somebody has edited the note."""
    text = notes(found).get(BEFORE)
    if text is None:
        return None
    try:
        read = json.loads(text)
        before, wrote, namespace = read["before"], read["wrote"], read.get("namespace")
        good = _strings(wrote.values()) and _strings(each for each in before.values() if each is not None)
        if not good or not before.keys() >= wrote.keys() or not _strings([namespace or ""]):
            raise ValueError("not what we write")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        space, name = found["metadata"]["namespace"], found["metadata"]["name"]
        raise EngineError(
            f"the annotation {BEFORE} of the ConfigMap {space}/{name} cannot be read, so what was there before is lost",
            next_step=f"set its keys by hand, then 'kubectl annotate configmap {name} -n {space} {BEFORE}-'",
        ) from error
    return Memory(before, wrote, namespace)


def _strings(values: Any) -> bool:
    return all(isinstance(each, str) for each in values)


def setting(wanted: Mapping[str, str], namespace: str | None) -> Change:
    """Sets keys, and notes what was there. Keys that are so already, and not by us, are not ours to put back."""

    def change(found: Object) -> Edit:
        noted, there = memory(found), data(found)
        if noted is None and wanted.items() <= there.items():
            return Edit(place(found), found, found)
        before = {key: there.get(key) for key in wanted}
        told = _owners(found)
        for key, wrote in noted.wrote.items() if noted is not None else ():
            if there.get(key) == wrote:
                before[key] = (noted.before if noted else {})[key]
            elif there.get(key) != wanted.get(key):
                told.append(
                    f"{place(found)}: somebody else has set {key} to {_quoted(there.get(key))} meanwhile; "
                    "that is what --undo will bring back"
                )
        note = Memory(before, wanted, namespace)
        return Edit(place(found), found, _with(found, {**there, **wanted}, str(note)), told)

    return change


def restoring(decisive: Collection[str] = ()) -> Change:
    """Puts back what was there. A key that somebody else has changed since is left as it is, and told.

    When it is one of the `decisive` ones, all are left: without it the others mean nothing, or something else.
    """

    def change(found: Object) -> Edit:
        noted = memory(found)
        if noted is None:
            return Edit(place(found), found, found)
        there = dict(data(found))
        foreign = [key for key, wrote in noted.wrote.items() if there.get(key) != wrote]
        left = list(noted.wrote) if any(key in decisive for key in foreign) else foreign
        for key in noted.wrote.keys() - set(left):
            if (before := noted.before[key]) is None:
                del there[key]
            else:
                there[key] = before
        told = [_left(place(found), foreign, left, noted, there)] if foreign else []
        return Edit(place(found), found, _with(found, there, None), told)

    return change


def _left(where: str, foreign: Sequence[str], left: Sequence[str], noted: Memory, there: Mapping[str, str]) -> str:
    changed = ", ".join(f"{key} is {_quoted(there.get(key))}" for key in foreign)
    before = ", ".join(f"{key} {_quoted(noted.before[key])}" for key in left)
    return f"{where}: {changed}, which we did not write; left as it is (before us: {before})"


async def write(api: Api, namespace: str, name: str, change: Change, *, dry_run: bool = False) -> Edit:
    """Reads, changes and writes; begins anew when somebody else wrote meanwhile. With `dry_run` it is only judged.

    Raises EngineError: there is no such ConfigMap, no right, or Knative's webhook does not take it.
    """
    path = await api.path(CONFIG_MAP, namespace, name)
    for _ in range(_TRIES):
        found = await api.get(CONFIG_MAP, name, namespace)
        if found is None:
            raise EngineError(
                f"there is no ConfigMap {namespace}/{name}, which Knative's releases install",
                next_step=f"see that Knative is whole: 'kubectl get configmaps -n {namespace}'",
            )
        edit = change(found)
        if not edit.changed:
            return edit
        answer = await api.ask("PUT", path, query={"dryRun": "All"} if dry_run else None, body=edit.now)
        if answer.code != _CONFLICT:
            accepted(f"change the ConfigMap {namespace}/{name}", answer)
            return edit
    raise EngineError(
        f"the ConfigMap {namespace}/{name} changes again and again, so it could not be written",
        next_step="an operator may be putting it back: set tracing where that operator takes its settings from",
    )


def _owners(found: Object) -> list[str]:
    return [
        f"{place(found)} belongs to the {each.get('kind')} {each.get('name')}, whose operator may put it back"
        for each in found["metadata"].get("ownerReferences") or ()
    ]


def _with(found: Object, values: Mapping[str, str], note: str | None) -> Object:
    annotations = {key: value for key, value in notes(found).items() if key != BEFORE}
    if note is not None:
        annotations[BEFORE] = note
    metadata = {key: value for key, value in found["metadata"].items() if key != "annotations"}
    if annotations:
        metadata["annotations"] = annotations
    rest = {key: value for key, value in found.items() if key not in ("data", "metadata")}
    return {**rest, "metadata": metadata, **({"data": dict(values)} if values else {})}


def _quoted(value: str | None) -> str:
    return "not set" if value is None else repr(value)
