"""Where our store and a Zipkin 3.6 server differ, and why: all of it. docs/traces.md tells the same.

May live here: the list. A comparison that meets a difference names its entry, and fails where there is none; an entry
that no comparison meets is no difference any more, and fails too.
"""

from __future__ import annotations

DIFFERENCES = {
    "newest": "a search has the trace with the latest span first; Zipkin looks at spans before `endTs` alone",
    "under way": "dependencies of a time are drawn from the traces that were under way in it; Zipkin takes those of "
    "which a span began in it",
    "halves": "a 64-bit id and the 128-bit ids that end in it are different traces; Zipkin joins them for dependencies "
    "and, before it looks at each, for searches",
    "endpoints": "whose child a span is, where a call's two sides share an id, is told by services; Zipkin takes "
    "addresses and ports for it too, so that a service with several is several",
    "padding": "answers end where they end; Zipkin fills up with NUL what it thought an escaped U+2028 would take",
    "nul": "a question may hold U+0000; Zipkin refuses its path",
    "zero id": "an all-zero span id is refused; Zipkin keeps one of fewer than 16 digits",
    "leading zeros": "an IPv4 address with leading zeros, which readers read differently, is dropped",
    "behind": "a document with something behind its list is refused; Zipkin drops what follows",
    "mapped": "`::ffff:1.2.3.4`, and no other IPv6 address, is IPv4; Zipkin reads it the other way round in protobuf",
    "grammar": "protobuf is read as protobuf says (unknown groups and fields are skipped, parts of a message joined, "
    "any number but 0 is true), and text that is no UTF-8 is replaced as Unicode says",
    "sniffing": "the Content-Type says what a body is; Zipkin looks at its first byte",
    "text": "spans as text/plain, which any page may post anywhere, are refused with 415",
    "method": "HEAD is answered as GET, and a method that is not there with 405; Zipkin says 404 to both",
    "origin": "pages of other origins and other hosts' names get 403 unless --allow-origin names them; Zipkin lets all",
    "caching": "names are told afresh; Zipkin lets them be kept for five minutes once it has more than three services",
    "version 1": "spans of Zipkin v1 and Thrift are not taken",
}


class Met:
    """Which differences were met."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def excuse(self, name: str) -> None:
        """A difference that is known. Raises KeyError when it is not."""
        assert DIFFERENCES[name]
        self.names.add(name)
