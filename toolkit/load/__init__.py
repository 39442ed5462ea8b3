"""Calls into an entry, sent when they are due.

`pacing` says when (pure), `generator` sends and keeps the records, `greeting` is the bytes of a call, `alarm` waits for
the moment. May not live here: statistics, verdicts, anything about engines.
"""
