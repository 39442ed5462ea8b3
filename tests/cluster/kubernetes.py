"""Kubernetes on the node: how each component is started, and when it is ready."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.cluster import binaries
from tests.cluster.node import NAME, NODE_IP, PODS, SERVICES, Node
from tests.cluster.pki import API, Pki
from tests.cluster.running import ClusterError, run

DOMAIN = "cluster.local"
CONTAINERD = "/run/containerd/containerd.sock"  # in the node
CNI_PROGRAMS = "/usr/lib/cni"
PAUSE = "dev.local/pause:1"
ETCD = "http://127.0.0.1:2379"


class Kubernetes:
    """The components on `node`, with their files below its work folder."""

    def __init__(self, node: Node) -> None:
        self._node, self._files = node, node.work / "config"
        self.pki = Pki(node.work / "pki")

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return self.pki.kubeconfig("admin")

    def kubectl(self, *arguments: str, given: bytes | None = None, within_s: float | None = 120) -> str:
        """What kubectl says, as the administrator. Raises ClusterError."""
        return run(
            *(binaries.path("kubectl"), f"--kubeconfig={self.kubeconfig}", *arguments),
            env={"HOME": str(self._files)},
            given=given,
            within_s=within_s,
        )

    def start_etcd(self) -> None:
        """With its data in the node's memory: they end with the node anyway, and no disk has to be waited for."""
        self._node.start(
            *("etcd", "etcd", "--name=etcd", "--data-dir=/var/lib/etcd", "--unsafe-no-fsync"),
            *(f"--listen-client-urls={ETCD}", f"--advertise-client-urls={ETCD}"),
            *("--listen-peer-urls=http://127.0.0.1:2380", "--initial-advertise-peer-urls=http://127.0.0.1:2380"),
            "--initial-cluster=etcd=http://127.0.0.1:2380",
        )

    def start_api_server(self) -> None:
        pki = self.pki
        self._start(
            "kube-apiserver",
            {
                "etcd-servers": ETCD,
                "advertise-address": NODE_IP,
                "bind-address": NODE_IP,
                "tls-cert-file": pki.certificate("apiserver"),
                "tls-private-key-file": pki.key("apiserver"),
                "client-ca-file": pki.ca,
                "kubelet-client-certificate": pki.certificate("apiserver-to-kubelet"),
                "kubelet-client-key": pki.key("apiserver-to-kubelet"),
                "kubelet-preferred-address-types": "InternalIP",
                "service-account-issuer": f"https://kubernetes.default.svc.{DOMAIN}",
                "service-account-key-file": pki.service_accounts,
                "service-account-signing-key-file": pki.service_accounts,
                "service-cluster-ip-range": SERVICES,
                "authorization-mode": "Node,RBAC",
                "enable-admission-plugins": "NodeRestriction",
                "endpoint-reconciler-type": "lease",
                "allow-privileged": "true",
                "cert-dir": "/run/kubernetes",
            },
        )

    def wait_for_api_server(self) -> None:
        self._node.wait("kube-apiserver", self._answers("get", "--raw=/readyz"), within_s=60)

    def start_controllers(self) -> None:
        pki = self.pki
        self._start(
            "kube-controller-manager",
            {
                "kubeconfig": pki.kubeconfig("kube-controller-manager"),
                "leader-elect": "false",
                "use-service-account-credentials": "true",
                "service-account-private-key-file": pki.service_accounts,
                "root-ca-file": pki.ca,
                "cluster-signing-cert-file": pki.ca,
                "cluster-signing-key-file": pki.ca_key,
                "bind-address": "127.0.0.1",
            },
        )
        self._start(
            "kube-scheduler",
            {
                "kubeconfig": pki.kubeconfig("kube-scheduler"),
                "authentication-kubeconfig": pki.kubeconfig("kube-scheduler"),
                "authorization-kubeconfig": pki.kubeconfig("kube-scheduler"),
                "leader-elect": "false",
                "bind-address": "127.0.0.1",
            },
        )

    def start_containerd(self) -> None:
        """On the disk of the work folder: the node's private folders are memory, which images would fill."""
        cni = self._file("cni/10-bridge.conflist", json.dumps(_bridge()))
        config = self._file("containerd.toml", _containerd(self._node.work / "containerd", cni.parent))
        self._node.start("containerd", "containerd", "--config", config, "--address", CONTAINERD)

    def wait_for_containerd(self) -> None:
        self._node.wait("containerd", self._works("ctr", "--address", CONTAINERD, "version"), within_s=30)

    def import_image(self, tar: Path) -> None:
        """Takes an image from a tar file, as `ctr images import` reads it. Raises ClusterError."""
        into = ("ctr", "--address", CONTAINERD, "--namespace", "k8s.io", "images", "import")
        self._node.run(*into, tar)

    def start_dns(self) -> None:
        config = self._file("Corefile", _corefile(self.pki.kubeconfig("coredns")))
        self._node.start("coredns", binaries.path("coredns"), "-conf", config)

    def start_kubelet(self) -> None:
        resolv = self._file("resolv.conf", f"nameserver {NODE_IP}\n")
        config = self._file("kubelet.json", json.dumps(_kubelet(self.pki.ca, resolv)))
        options = {
            "config": config,
            "kubeconfig": self.pki.kubeconfig("kubelet"),
            "hostname-override": NAME,
            "node-ip": NODE_IP,
            "cert-dir": "/run/kubelet",
        }
        self._start("kubelet", options)

    def start_proxy(self) -> None:
        config = self._file("kube-proxy.json", json.dumps(_proxy(self.pki.kubeconfig("kube-proxy"))))
        self._start("kube-proxy", {"config": config, "hostname-override": NAME})

    def wait_for_node(self) -> None:
        ready = '-o=jsonpath={.status.conditions[?(@.type=="Ready")].status}'
        self._node.wait("kubelet", self._says("True", "get", "node", NAME, ready), within_s=90)

    def _start(self, program: str, options: Mapping[str, str | Path]) -> None:
        self._node.start(program, binaries.path(program), *(f"--{key}={value}" for key, value in options.items()))

    def _file(self, name: str, text: str) -> Path:
        path = self._files / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def _answers(self, *arguments: str) -> Callable[[], bool]:
        return lambda: _succeeds(lambda: self.kubectl(*arguments))

    def _says(self, wanted: str, *arguments: str) -> Callable[[], bool]:
        return lambda: _succeeds(lambda: self.kubectl(*arguments), wanted)

    def _works(self, *command: str) -> Callable[[], bool]:
        return lambda: _succeeds(lambda: self._node.run(*command))


def _succeeds(attempt: Callable[[], str], wanted: str | None = None) -> bool:
    try:
        said = attempt()
    except ClusterError:
        return False
    return wanted is None or said == wanted


def _bridge() -> dict[str, object]:
    """The pods' network: a bridge that also lets a pod reach itself through its Service."""
    ranges = [[{"subnet": PODS}]]
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "ipMasq": True,
        "hairpinMode": True,
        "ipam": {"type": "host-local", "ranges": ranges, "routes": [{"dst": "0.0.0.0/0"}]},
    }
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "0.4.0", "name": NAME, "plugins": [bridge, ports]}


def _containerd(root: Path, cni: Path) -> str:
    return textwrap.dedent(f"""\
        version = 2
        root = "{root}"
        state = "/run/containerd"
        [plugins."io.containerd.grpc.v1.cri"]
          sandbox_image = "{PAUSE}"
          restrict_oom_score_adj = true # without CAP_SYS_RESOURCE runc dies of asking for less
          [plugins."io.containerd.grpc.v1.cri".cni]
            bin_dir = "{CNI_PROGRAMS}"
            conf_dir = "{cni}"
          [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
            runtime_type = "io.containerd.runc.v2"
            [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
              SystemdCgroup = false
    """)


def _corefile(kubeconfig: Path) -> str:
    return textwrap.dedent(f"""\
        {DOMAIN}:53 {{
          bind {NODE_IP}
          errors
          kubernetes {DOMAIN} {{
            kubeconfig {kubeconfig}
            pods disabled
            ttl 5
          }}
        }}
        .:53 {{
          bind {NODE_IP}
          errors
          template ANY ANY {{
            rcode NXDOMAIN
          }}
        }}
    """)


def _kubelet(ca: Path, resolv: Path) -> dict[str, object]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {"x509": {"clientCAFile": str(ca)}, "anonymous": {"enabled": False}},
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{NAME}",
        "failCgroupV1": False,
        "clusterDomain": DOMAIN,
        "clusterDNS": [NODE_IP],
        "containerRuntimeEndpoint": f"unix://{CONTAINERD}",
        "evictionHard": {"memory.available": "100Mi"},
        "failSwapOn": False,
        "healthzBindAddress": "127.0.0.1",
        "imageGCHighThresholdPercent": 100,
        "localStorageCapacityIsolation": False,
        "maxPods": 200,
        "podPidsLimit": -1,
        "resolvConf": str(resolv),
        "serializeImagePulls": False,
        "registryPullQPS": 0,
        "volumePluginDir": "/var/lib/kubelet-plugins",
    }


def _proxy(kubeconfig: Path) -> dict[str, object]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "clusterCIDR": PODS,
        "clientConnection": {"kubeconfig": str(kubeconfig)},
        "conntrack": {"maxPerCore": 0, "min": 0},  # a setting of the whole machine
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
    }


__all__ = ["API", "Kubernetes"]
