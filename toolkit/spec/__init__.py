"""The chain language: what a `chain.yaml` may say, and what it means.

`parse` turns a file's bytes into a `model.ChainSpec`; `schema.build` is the same language as JSON Schema. Pure: no
file is opened here. What a function asks of a cluster is part of the language (`cluster`, `annotations`, `demands`).
May not live here: anything about engines and ports, and what a cluster's objects look like (`toolkit.manifests`).
"""

from toolkit.spec.parser import parse

__all__ = ["parse"]
