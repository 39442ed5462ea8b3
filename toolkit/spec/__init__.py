"""The chain language: what a `chain.yaml` may say, and what it means.

`parse` turns a file's bytes into a `model.ChainSpec`; `schema.build` is the same language as JSON Schema. Pure: no
file is opened here. May not live here: anything about engines, ports or clusters.
"""

from toolkit.spec.parser import parse

__all__ = ["parse"]
