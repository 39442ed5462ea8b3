"""The engine `knative`: a plan on a real cluster, with Knative Serving and, for event edges, Knative Eventing.

`connection` finds the cluster, `api` talks to it, `rollout` brings a plan's objects up, `removal` takes them away,
`diagnosis` says why something does not come up, `engine` puts it all together. What the objects look like is decided
elsewhere (`toolkit.manifests`). The library `kubernetes` is an extra, and loaded only when a cluster is asked for.
"""
