"""Calls, sent when they are due.

`pacing` says when (pure), `driving` sends over what `lines` carry, `caller` says what each call into an entry is, and
keeps what became of it; `worker` is a process that does nothing else. May not live here: statistics, verdicts, anything
about engines.
"""
