"""Keys, certificates and kubeconfigs of the cluster, made anew with it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.node import NAME, NODE_IP
from tests.cluster.running import run

API = f"https://{NODE_IP}:6443"
DAYS = "30"
FIRST_SERVICE_IP = "10.96.0.1"
SERVER_NAMES = (
    f"DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local,"
    f"DNS:localhost,IP:{FIRST_SERVICE_IP},IP:{NODE_IP},IP:127.0.0.1"
)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a component is to the API server. The groups are what RBAC's built-in roles are bound to."""

    name: str
    user: str
    groups: tuple[str, ...] = ()


IDENTITIES = (
    Identity("admin", "admin", ("system:masters",)),
    Identity("kubelet", f"system:node:{NAME}", ("system:nodes",)),
    Identity("kube-controller-manager", "system:kube-controller-manager"),
    Identity("kube-scheduler", "system:kube-scheduler"),
    Identity("kube-proxy", "system:kube-proxy"),
    Identity("coredns", "kn-bench:dns"),
    Identity("apiserver-to-kubelet", "kube-apiserver-kubelet-client", ("system:masters",)),
)


class Pki:
    """The files below `folder`, which only its owner may read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.ca, self.ca_key = folder / "ca.crt", folder / "ca.key"
        self.service_accounts = folder / "service-accounts.key"

    def certificate(self, name: str) -> Path:
        return self._folder / f"{name}.crt"

    def key(self, name: str) -> Path:
        return self._folder / f"{name}.key"

    def kubeconfig(self, name: str) -> Path:
        return self._folder / f"{name}.kubeconfig"

    def create(self) -> None:
        """Makes everything. Raises ClusterError."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        authority = ("keyUsage=critical,digitalSignature,keyCertSign", "basicConstraints=critical,CA:TRUE")
        self._signed("ca", "/CN=kn-bench cluster", authority, by_itself=True)
        self._signed(
            "apiserver", "/CN=kube-apiserver", (f"subjectAltName={SERVER_NAMES}", "extendedKeyUsage=serverAuth")
        )
        for each in IDENTITIES:
            subject = "".join(f"/O={group}" for group in each.groups) + f"/CN={each.user}"
            self._signed(each.name, subject, ("extendedKeyUsage=clientAuth",))
            self._write_kubeconfig(each.name)
        run("openssl", "genpkey", "-quiet", "-algorithm", "RSA", "-out", self.service_accounts)

    def _signed(self, name: str, subject: str, extensions: Sequence[str], *, by_itself: bool = False) -> None:
        elliptic = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        signer: tuple[str | Path, ...] = () if by_itself else ("-CA", self.ca, "-CAkey", self.ca_key)
        added = [word for each in extensions for word in ("-addext", each)]
        files = ("-keyout", self.key(name), "-out", self.certificate(name))
        run("openssl", "req", "-x509", "-days", DAYS, *elliptic, "-subj", subject, *signer, *added, *files)

    def _write_kubeconfig(self, name: str) -> None:
        cluster = {"server": API, "certificate-authority": str(self.ca)}
        user = {"client-certificate": str(self.certificate(name)), "client-key": str(self.key(name))}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": NAME, "cluster": cluster}],
            "users": [{"name": name, "user": user}],
            "contexts": [{"name": NAME, "context": {"cluster": NAME, "user": name}}],
            "current-context": NAME,
        }
        self.kubeconfig(name).write_text(json.dumps(config, indent=1))
        self.kubeconfig(name).chmod(0o600)
