"""A real Kubernetes with a real Knative on this machine, made from published packages: no Docker, no image registry.

May live here: what brings that cluster up and takes it down. The tests that run on it, or on any other, are in `suite`.
Nothing here is part of the toolkit, and nothing here knows a chain.
"""
