"""The local engine: real processes on one machine, a faithful broker, a trace store. All of it on loopback only.

May live here: what starts, watches and ends processes. What the broker and the store *do* is in their own packages,
and both run as processes of their own, so that the caller's clock is not held up by them; they load this package, so it
imports nothing.
"""
