"""Trials: the same thing run again and again, each with a fresh deployment, in an order that chance decides.

May live here: the order of trials, the file that keeps a group together, and what a group says as a whole. May not: how
one run is made (`run`), arguments.
"""
