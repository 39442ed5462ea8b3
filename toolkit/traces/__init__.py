"""Spans and what can be known from them: codec, tree, verdict, times. Pure; keeping spans is an engine's business.

`wire` and `zipkin` read and write, `otlp` and `otel` read what OpenTelemetry sends, `tree` arranges, `platform` and
`passages` know Knative's own spans, `expect` and `match` judge, `links`, `hops` and `critical` reduce.
"""
