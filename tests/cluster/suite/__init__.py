"""The tests that run on a real Knative: ours (`make test-cluster`) or any that `$KUBECONFIG` leads to.

May live here: what the tests need of a cluster, and the tests. They ask the API server and send real requests; how the
cluster came to be is none of their business.
"""
