"""`toolkit render`: manifests as a stream, as JSON or as a folder, the same every time, and refusals in words."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli import program
from tests.unit.manifests.samples import container, environment, service, wired
from toolkit.cli import main

IMAGE = "dev.local/chained-mixed:v1"
ALL = ("--engine", "vhive", "--profile", "strict", "--image", "dev.local/chained-mixed-{function}:v1")


def rendered(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[Any]:
    assert main(["render", *arguments]) == 0
    return list(yaml.safe_load_all(capsys.readouterr().out))


def test_a_chain_is_a_stream_of_yaml(capsys: pytest.CaptureFixture[str]) -> None:
    made = rendered(capsys, "chained-mixed", "--image", IMAGE)
    assert [each["kind"] for each in made] == ["Namespace", "Broker", "SinkBinding", *["Service"] * 4, "Trigger"]
    assert {each["metadata"].get("namespace", "chained-mixed") for each in made} == {"chained-mixed"}
    assert container(service(made, "producer"))["image"] == IMAGE


def test_it_is_the_same_every_time_and_names_no_time(tmp_path: Path) -> None:
    first, second = (
        program.call(tmp_path, "render", "chained-eventing", "--image", IMAGE, PYTHONHASHSEED=seed) for seed in "12"
    )
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout == second.stdout
    assert "kn-bench.dev/run: chained-eventing" in first.stdout


def test_json_is_one_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["render", "chained-mixed", "--image", IMAGE, "-o", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["apiVersion"], found["kind"]) == ("v1", "List")
    assert found["items"] == rendered(capsys, "chained-mixed", "--image", IMAGE)


def test_a_folder_holds_a_file_an_object_in_the_order_of_application(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "made" / "here"
    assert main(["render", "chained-mixed", "--image", IMAGE, "-o", str(folder)]) == 0
    printed = capsys.readouterr()
    names = sorted(each.name for each in folder.iterdir())
    assert names == [
        "00-namespace.yaml",
        "20-broker-default.yaml",
        "30-sinkbinding-publisher.yaml",
        "40-service-consumer.yaml",
        "40-service-producer.yaml",
        "40-service-publisher.yaml",
        "40-service-subscriber.yaml",
        "50-trigger-publisher-to-subscriber.yaml",
    ]
    assert sorted(printed.out.split()) == [str(folder / name) for name in names]
    assert printed.err == f"next: kubectl apply -f {folder}\n"
    read = [yaml.safe_load((folder / name).read_text()) for name in names]
    stream = rendered(capsys, "chained-mixed", "--image", IMAGE)
    assert sorted(read, key=json.dumps) == sorted(stream, key=json.dumps)


def test_the_form_comes_from_the_environment_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["render", "chained-serving", "--image", IMAGE]
    monkeypatch.setenv("TOOLKIT_OUTPUT", "json")
    assert main(command) == 0
    assert json.loads(capsys.readouterr().out)["kind"] == "List"
    monkeypatch.setenv("TOOLKIT_OUTPUT", str(tmp_path / "made"))
    assert main(command) == 0
    assert str(tmp_path / "made" / "00-namespace.yaml") in capsys.readouterr().out
    monkeypatch.setenv("TOOLKIT_OUTPUT", "junit")
    assert main(command) == 0
    assert capsys.readouterr().out.startswith("apiVersion: v1\n")


def test_other_files_of_the_folder_stay_and_are_told_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.yaml").write_text("kind: Mine\n")
    (tmp_path / "notes.txt").write_text("mine too")
    assert main(["render", "chained-serving", "--image", IMAGE, "-o", str(tmp_path)]) == 0
    assert f"{tmp_path} also holds mine.yaml, which kubectl would apply too" in capsys.readouterr().err
    assert (tmp_path / "mine.yaml").read_text() == "kind: Mine\n"
    assert (tmp_path / "notes.txt").read_text() == "mine too"


def test_parameters_run_seed_sample_and_zipkin_are_in_the_wiring(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("--set", "length=3", "--payload", "4KiB", "--run", "r 1", "--seed", "7", "--sample", "0.5")
    made = rendered(capsys, "chained-serving", "--image", IMAGE, *asked, "--zipkin", "http://z:9411", "-n", "other")
    found = wired(service(made, "relay"))
    assert found["parameters"] == {"payload": 4096, "length": 3}
    assert (found["run"], found["seed"]) == ("r 1", 7)
    assert found["tracing"] == {"attributes": {}, "endpoint": "http://z:9411/api/v2/spans", "sample": 0.5}
    assert found["outgoing"][0]["address"] == "consumer.other.svc.cluster.local:80"


def test_all_addresses_are_of_the_clusters_domain(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = rendered(capsys, "chained-mixed", "--image", IMAGE, "--cluster-domain", "corp.example")
    (edge,) = wired(service(made, "producer"))["outgoing"]
    assert edge["address"] == "publisher.chained-mixed.svc.corp.example:80"
    monkeypatch.setenv("TOOLKIT_CLUSTER_DOMAIN", "corp.example")
    assert main(["render", "chained-mixed", *ALL, "-o", str(tmp_path)]) == 0
    baked = (tmp_path / "wiring" / "publisher.json").read_text()
    assert "http://broker-ingress.knative-eventing.svc.corp.example/chained-mixed/default" in baked
    assert "cluster.local" not in baked


def test_its_own_zipkin_is_of_the_clusters_domain_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["render", "chained-mixed", "--image", IMAGE, "--tracing", "--cluster-domain", "corp.example"]) == 0
    printed = capsys.readouterr()
    assert "http://zipkin.chained-mixed.svc.corp.example:9411/api/v2/spans" in printed.out
    assert "http://otel-collector.chained-mixed.svc.corp.example:4318/v1/traces" in printed.err
    assert "cluster.local" not in printed.out + printed.err


def test_the_namespace_can_be_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    made = rendered(capsys, "chained-serving", "--image", IMAGE, "--no-namespace")
    assert {each["kind"] for each in made} == {"Service"}


def test_tracing_brings_zipkin_and_collector_before_what_reports_to_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["render", "chained-serving", "--image", IMAGE, "--tracing"]) == 0
    printed = capsys.readouterr()
    made = list(yaml.safe_load_all(printed.out))
    assert [f"{each['kind']} {each['metadata']['name']}" for each in made[:6]] == [
        "Namespace chained-serving",
        "Deployment zipkin",
        "Service zipkin",
        "ConfigMap otel-collector",
        "Deployment otel-collector",
        "Service otel-collector",
    ]
    endpoint = "http://zipkin.chained-serving.svc.cluster.local:9411/api/v2/spans"
    assert wired(service(made, "producer"))["tracing"]["endpoint"] == endpoint
    assert yaml.safe_load(made[3]["data"]["config.yaml"])["exporters"] == {"zipkin": {"endpoint": endpoint}}
    assert "http://otel-collector.chained-serving.svc.cluster.local:4318/v1/traces" in printed.err


def test_vhive_passes_the_environment_or_bakes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = rendered(capsys, "chained-mixed", "--engine", "vhive", "--image", IMAGE, "--stub", "dev.local/stub:1")
    assert container(service(made, "producer"))["image"] == "dev.local/stub:1"
    assert environment(service(made, "producer"))["GUEST_IMAGE"] == IMAGE
    strict = rendered(capsys, "chained-mixed", *ALL)
    assert environment(service(strict, "producer")) == {
        "GUEST_PORT": "8080",
        "GUEST_IMAGE": "dev.local/chained-mixed-producer:v1",
    }
    assert main(["render", "chained-mixed", *ALL, "-o", str(tmp_path)]) == 0
    baked = json.loads((tmp_path / "wiring" / "publisher.json").read_text())
    sink = "http://broker-ingress.knative-eventing.svc.cluster.local/chained-mixed/default"
    assert [each["address"] for each in baked["outgoing"]] == [sink]


def test_a_baked_wiring_is_what_build_takes(tmp_path: Path) -> None:
    assert main(["render", "chained-mixed", *ALL, "-o", str(tmp_path / "made")]) == 0
    wiring = tmp_path / "made" / "wiring" / "publisher.json"
    done = program.call(tmp_path, "build", "chained-mixed", "--wiring", str(wiring), "--files", str(tmp_path / "files"))
    assert (done.returncode, (tmp_path / "files/etc/toolkit/wiring.json").read_bytes()) == (0, wiring.read_bytes())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--image is missing"),
        (["--image", "chained-mixed"], "has no tag, so Kubernetes would take 'latest'"),
        (["--image", "x:1"], "Knative reads no repository of fewer than 2 letters"),
        (["--image", "a b:1"], "is no name of an image"),
        (["--image", "$(reboot):1"], "is no name of an image"),
        (["--image", "caf\udc80:1"], "is no name of an image"),
        (["--image", "aa@sha256:12"], "'sha256:12' is no digest"),
        (["--image", "aa-{function}:1"], "one image serves all functions"),
        (["--image", IMAGE, "--engine", "vhive", "--profile", "strict"], "every function needs an image of its own"),
        (["--image", IMAGE, "--engine", "cloud"], "invalid choice: 'cloud'"),
        (["--image", IMAGE, "--stub", "aa:1"], "--profile, --sandbox and --stub are for vHive"),
        (["--image", IMAGE, "--sandbox", "gvisor"], "--profile, --sandbox and --stub are for vHive"),
        (["--image", IMAGE, "--engine", "vhive", "--stub", "X"], "is no name of an image"),
        (["--image", IMAGE, "--tracing", "--zipkin", "http://z"], "--tracing brings a Zipkin of its own"),
        (["--image", IMAGE, "-n", ""], "is no name of a namespace"),
        (["--image", IMAGE, "-n", "Big"], "is no name of a namespace"),
        (["--image", IMAGE, "-n", "a" * 64], "is no name of a namespace"),
        (["--image", IMAGE, "-n", "a\nb: c"], "is no name of a namespace"),
        (["--image", IMAGE, "--cluster-domain", ""], "'' is no domain, such as cluster.local"),
        (["--image", IMAGE, "--cluster-domain", "a..b"], "is no domain"),
        (["--image", IMAGE, "--cluster-domain", "x\ny"], "is no domain"),
        (["--image", IMAGE, "--cluster-domain", "é.local"], "is no domain"),
        (["--image", IMAGE, "--cluster-domain", "svc.cluster.local"], "without 'svc.'"),
        (["--image", IMAGE, "--cluster-domain", ".".join(["a" * 60] * 5)], "is no domain"),
        (["--image", IMAGE, "--run", ""], "--run '' is no id"),
        (["--image", IMAGE, "--run", "\udc80"], "is no id: 1 to 100 printable ASCII"),
        (["--image", IMAGE, "-o", ""], "is no form of manifests"),
        (["--image", IMAGE, "-o", "wide"], "-o/--output: 'wide' is no form of manifests: write yaml, json, or the"),
        (["--image", IMAGE, "-o", "/dev/null/x"], "not a directory"),
        (["--image", IMAGE, "-o", "a\0b"], "cannot be a folder: embedded null byte"),
        (["--image", IMAGE, "--set", "paylod=1"], "did you mean 'payload'?"),
    ],
)
def test_what_cannot_be_is_refused_in_words(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))  # no image is remembered
    assert main(["render", "chained-mixed", *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert message in printed.err
    assert "Traceback" not in printed.err


def test_what_a_cluster_makes_of_the_chain_is_told_beside_the_manifests(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "h.py").write_text("")
    scaled = "name: odd\nfunctions: {shop: {handler: 'h.py:f', scale: {metric: cpu, max: 3}}}\n"
    (tmp_path / "chain.yaml").write_text(scaled)
    assert main(["render", str(tmp_path), "--image", IMAGE]) == 0
    printed = capsys.readouterr()
    assert printed.err.startswith("shop.scale.autoscaler: hpa is an extension of Knative (serving-hpa)")
    assert printed.out.startswith("apiVersion: v1\nkind: Namespace\n")


def test_a_function_that_is_called_like_zipkin_cannot_stand_beside_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "h.py").write_text("")
    (tmp_path / "chain.yaml").write_text("name: odd\nfunctions: {zipkin: {handler: 'h.py:f'}}\n")
    assert main(["render", str(tmp_path), "--image", IMAGE, "--tracing"]) == 2
    assert "the chain has a function 'zipkin'" in capsys.readouterr().err


def test_it_needs_neither_grpc_nor_kubernetes(tmp_path: Path) -> None:
    code = (
        "import sys; from toolkit.cli import main; "
        f"main(['render', 'chained-mixed', '--image', '{IMAGE}']); print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([program.TOOLKIT[0], "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert {"grpc", "kubernetes", "asyncio", "opentelemetry"} & set(done.stderr.split()) == set()
