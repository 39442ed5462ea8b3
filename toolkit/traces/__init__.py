"""Spans and what can be known from them: codec, tree, verdict, times. Pure; keeping spans is an engine's business.

`wire` and `zipkin` read and write, `otlp` and `otel` read what OpenTelemetry sends, `tree` arranges, `platform` knows
Knative's own spans, `gaps` and `causes` what really hangs below what, `view` is one trace with all of it. From a view:
`critical` (the path that decides the end), `anatomy` (each message's way), `skew` (clocks), `complete` (the chain's
graph), `passages` and `rows` (for telling). `expect` and `match` judge by receipts; `links` reduces.
"""
