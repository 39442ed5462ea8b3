"""The manifests of a plan: what Kubernetes must be told so that stock Knative, or vHive, runs it.

May live here: templates' data, rendering, and the names that follow from a plan. Pure but for reading the templates
that ship with the toolkit. May not: anything that talks to a cluster (`engines.knative`).
"""

from toolkit.manifests.target import Target as Target
from toolkit.manifests.target import VHive as VHive
