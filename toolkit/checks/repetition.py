"""`once`: no message was handled twice, unless a restart explains it, or a sender that failed and was handled again."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from toolkit.checks.attempts import made_good
from toolkit.checks.ledger import Ledger, short, some, verdict
from toolkit.contract import Receipt
from toolkit.results import Check


def once(ledger: Ledger) -> Check:
    """A failed handling does not count: to try again is what a broker promises. Nor does one that ran no handler: of a
    part that waited to be joined, of a task that was done before."""
    repeated = {key: own for key in ledger.handlings if len(own := _succeeded(ledger, key)) > 1}
    restarts, failures = explained_repetitions(ledger), _sent_again(ledger, repeated)
    failures -= restarts
    offences = [
        f"{function} handled a message of {own[0].sender} {len(own)} times (call {short(own[0].call)})"
        for (message, function), own in repeated.items()
        if (message, function) not in restarts | failures
    ]
    extra, again = (sum(len(repeated[key]) - 1 for key in keys) for keys in (restarts, failures))
    handled = sum(bool(_succeeded(ledger, key)) for key in ledger.handlings)
    return verdict(
        "once",
        "every message handled once by each of its receivers",
        f"{some(handled, 'handling')}{'' if extra or again else ', none repeated'}"
        if handled
        else "nothing was handled",
        offences,
        f"{some(extra, 'repetition')} that follow{'s' if extra == 1 else ''} from a restart (see steady)"
        if extra
        else "",
        f"{some(again, 'repetition')} that follow{'s' if again == 1 else ''} from a handling that failed and was "
        "delivered again"
        if again
        else "",
        *_failures(ledger),
    )


def _failures(ledger: Ledger) -> Iterator[str]:
    """No offence: a message whose handling failed may be handled again. But never silent: attempts that another one
    made good are counted by `delivered`."""
    retried = given_up = 0
    good = made_good(ledger)
    for key, own in ledger.handlings.items():
        if key[0] in good:
            continue
        succeeded = any(each.error is None for each in own)
        failed = sum(each.error is not None for each in own)
        retried, given_up = retried + (failed if succeeded else 0), given_up + (0 if succeeded else failed)
    if retried:
        yield f"{some(retried, 'handling')} failed and {'was' if retried == 1 else 'were'} retried with success"
    if given_up:
        yield f"{some(given_up, 'handling')} failed for good"


def explained_repetitions(ledger: Ledger) -> frozenset[tuple[str, str]]:
    """The (message, function) pairs that were handled again because some process left: the one that handled it, or the
    one that sent it, or one further up whose repetition caused this one."""
    explained: dict[tuple[str, str], bool] = {}
    repeated = [key for key in ledger.handlings if len(_succeeded(ledger, key)) > 1] if ledger.killed else []
    for key in repeated:
        _explain(ledger, key, explained)
    return frozenset(key for key in repeated if explained[key])


def _sent_again(ledger: Ledger, repeated: Collection[tuple[str, str]]) -> frozenset[tuple[str, str]]:
    """The pairs that were handled again because a handling that had sent the message failed later, and was delivered
    again, as a broker promises; or because one further up was.

    Whoever handles a message oftener than it was sent does so by itself, and that explains nothing.
    """
    explained: dict[tuple[str, str], bool] = {}
    for key in repeated:
        path: list[tuple[str, str]] = []
        at: tuple[str, str] | None = key
        found = False
        while at is not None:
            path.append(at)
            sends = ledger.sends.get(at[0], ())
            if len(_succeeded(ledger, at)) > len(sends) or at in explained:
                found, at = explained.get(at, False), None
            elif any(receipt.error is not None for receipt, _ in sends):
                found, at = True, None
            else:
                at = _cause(ledger, at, path)
        explained.update(dict.fromkeys(path, found))
    return frozenset(key for key in repeated if explained[key])


def _explain(ledger: Ledger, key: tuple[str, str], explained: dict[tuple[str, str], bool]) -> bool:
    """Follows the causes of a repetition upwards, without recursion: a chain may be long."""
    path: list[tuple[str, str]] = []
    found: bool | None = None
    at: tuple[str, str] | None = key
    while at is not None and found is None:
        path.append(at)
        found = explained.get(at)
        if found is None and _met_a_restart(ledger, at):
            found = True
        at = _cause(ledger, at, path) if found is None else None
    for each in path:
        explained[each] = bool(found)
    return bool(found)


def _met_a_restart(ledger: Ledger, key: tuple[str, str]) -> bool:
    message, _ = key
    if any(ledger.left(receipt) for receipt in ledger.handlings[key]):
        return True
    sends = ledger.sends.get(message, ())
    if any(ledger.left(receipt) for receipt, _ in sends):
        return True
    # the process that sent it first may have left before it could write a receipt
    told = len(sends) >= len(_succeeded(ledger, key))
    return not told and any(receipt.function in ledger.restarted for receipt, _ in sends)


def _cause(ledger: Ledger, key: tuple[str, str], path: list[tuple[str, str]]) -> tuple[str, str] | None:
    """The repeated handling during which this message was sent again."""
    for receipt, _ in ledger.sends.get(key[0], ()):
        above = (receipt.message, receipt.function)
        if above not in path and len(ledger.handlings[above]) > 1:
            return above
    return None


def _succeeded(ledger: Ledger, key: tuple[str, str]) -> list[Receipt]:
    return [receipt for receipt in ledger.ran(key) if receipt.error is None]
