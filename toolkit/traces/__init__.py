"""Spans and what can be known from them: codec, tree, verdict, times. Pure; keeping spans is an engine's business.

`wire` and `zipkin` read and write, `tree` arranges, `expect` and `match` judge, `links`, `hops` and `critical` reduce.
"""
