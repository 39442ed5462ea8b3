"""One report with something in every field."""

from __future__ import annotations

from toolkit.results import Check, Hop, Incident, Load, Measurement, PathPart, Quantiles, Report

LATENCY = Quantiles(1200, 1204.0, 2100.0, 3300.0, 4000.0, 9100.0, None, 17_300.0, 2345.6)

MEASUREMENT = Measurement(
    sent=1203,
    ok=1200,
    failed=2,
    lost=1,
    duplicated=0,
    reordered=3,
    duration_s=24.06,
    asked_rate=50.0,
    achieved_rate=49.98,
    lateness_us=Quantiles(1203, 10.0, 80.0, 90.0, 95.0, 240.0, None, 2000.0, 85.5),
    latency_us=LATENCY,
    service_time_us=Quantiles(1200, 1100.0, 2000.0, 3200.0, 3900.0, 9000.0, None, 17_000.0, 2245.6),
    completion_us=None,
    cold=Quantiles(1, min=42.0, max=42.0, mean=42.0),
    hops=(Hop("producer", "consumer", "event", 1199, 812.0, None, 0.34),),
    traces_expected=1203,
    traces_complete=1200,
    missing_spans=4,
    orphans=1,
    histogram=((1500.0, 300), (3000.0, 0), (6000.0, 900)),
    critical_path=(
        PathPart("producer → consumer (event)", 1199, 700.0, None, 0.75),
        PathPart("producer", 1199, 1.0, 2.0, 0.25),
    ),
    invalid=("the generator was late",),
)

REPORT = Report(
    run="pair-20240501-120000-abc123",
    chain="pair",
    engine="local",
    emulated=True,
    started="2024-05-01T12:00:00.000Z",
    spec_sha256="ab" * 32,
    git_commit=None,
    toolkit_version="0.1.0",
    environment={"python": "3.11.7", "cpus": 2, "odd": {"nested": [1, None]}},
    load=Load(requests=1203, rate=50.0, sample=0.5, seed=7),
    parameters={"payload": 4096, "name": "héllo"},
    measurement=MEASUREMENT,
    checks=(
        Check("answered", True, "all 1203 calls answered OK", "1203 answered OK"),
        Check("steady", False, "no function started again", "consumer was started again once", ("consumer: killed",)),
    ),
    incidents=(Incident("restart", "consumer", "left with status 1", ("first line", "last line"), "r1", None),),
    partial=True,
    edges=(("producer", "consumer", "event"),),
    entry="producer",
    notes=("few samples",),
)
