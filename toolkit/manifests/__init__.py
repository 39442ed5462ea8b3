"""The manifests of a plan: what Kubernetes must be told so that stock Knative, or vHive, runs it.

May live here: templates' data, rendering, and the names that follow from a plan. Pure but for reading the templates
that ship with the toolkit. May not: anything that talks to a cluster (`engines.knative`).
"""

from toolkit.manifests.files import files as files
from toolkit.manifests.names import Addresses as Addresses
from toolkit.manifests.names import bound as bound
from toolkit.manifests.names import labels as labels
from toolkit.manifests.rendering import as_list as as_list
from toolkit.manifests.rendering import left_out as left_out
from toolkit.manifests.rendering import render as render
from toolkit.manifests.rendering import text as text
from toolkit.manifests.rendering import wiring as wiring
from toolkit.manifests.target import Target as Target
from toolkit.manifests.target import VHive as VHive
from toolkit.manifests.templates import Manifest as Manifest
from toolkit.manifests.tracing import NAMESPACE as NAMESPACE
from toolkit.manifests.tracing import Images as Images
from toolkit.manifests.tracing import otlp_endpoint as otlp_endpoint
from toolkit.manifests.tracing import tracing as tracing
from toolkit.manifests.tracing import tracing_namespace as tracing_namespace
from toolkit.manifests.tracing import zipkin_endpoint as zipkin_endpoint
