"""Promises, kept or not: what was called, sent, handled and traced, held against the chain. Pure, linear.

May live here: one module a group of promises, each a function from the ledger to a `Check`. May not: statistics.

Each check judges its own promise and takes the others' evidence as given, so that one broken thing turns one check
red. What another check is certain to be red for may be passed over, and is then counted in the text; nothing is passed
over that no check tells.

`answered`   every call was answered OK. Not judged: calls that failed behind a misrouted message (`routed`), behind a
             function that was restarted (`steady`), or behind bytes that were changed on their way (`intact`).
`followed`   a handling that succeeded sent over each of its outgoing edges as many messages as its count allows, and no
             other: over one edge of each choice, over a fallback as often as the edge it stands in for failed for good.
             An attempt was only made again behind one that failed. The way to no message loops more often than the edge
             allows. Failed handlings are told by `answered`, `delivered` or `clean`.
`routed`     every message went to the address that the plan bound, and was handled by none but its receivers.
`delivered`  every message that was accepted at its right address was handled by each of its receivers, and every OK
             call by the entry; each join ran with all of its parts. Attempts that were made good are counted. Not
             judged: misrouted messages (`routed`), dead letters that name it (`clean`).
`once`       no handler met a message twice, by itself or joined. Not judged: repetitions that follow from a restart
             (`steady`).
`intact`     what was received is what was sent, byte for byte, messages and answers. Messages without a receipt are
             `delivered`'s.
`traced`     the trace of every sampled call equals the graph that its receipts prove. Not judged: traces that a killed
             process took with it (`steady`); spans for which a receipt is missing (`delivered`).
`steady`     no function had to be started again.
`clean`      no dead letter, no undelivered event, no warning of the broker.
`expected`   only of chains with `expect`: what judges their answers finds each one right. Not judged: answers without a
             receipt (`delivered`), of calls that failed (`answered`).
"""

from toolkit.checks.judge import judge

__all__ = ["judge"]
