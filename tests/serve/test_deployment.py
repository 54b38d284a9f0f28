"""The deployment files: read as their programs read them, and their steps done without a container engine."""

import json
import os
import re
import shlex
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import kubernetes_validate
import psutil
import pytest
import yaml
from made_up_bundles import bundle

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
CLUSTER = [document for document in yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text("utf-8")) if document]
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
MIB = 2**20


def steps(stage: str) -> list[tuple[str, str]]:
    """The instructions of one stage of the Dockerfile."""
    text = re.sub(r"\\\n", " ", (DEPLOY / "Dockerfile").read_text("utf-8"))
    found, current = [], ""
    for line in text.splitlines():
        if line.startswith("FROM"):
            current = line.split(" AS ")[1]
        elif line and not line.startswith("#") and current == stage:
            instruction, _, rest = line.partition(" ")
            found.append((instruction, " ".join(rest.split())))
    return found


def one(kind: str) -> Any:
    (found,) = (document for document in CLUSTER if document["kind"] == kind)
    return found


@pytest.mark.parametrize("document", CLUSTER, ids=lambda document: document["kind"])
@pytest.mark.parametrize("version", ["1.29", "1.31", "1.33"])
def test_kubernetes_takes_the_file(document: Any, version: str) -> None:
    kubernetes_validate.validate(document, version, strict=True)


def test_the_validation_would_find_a_mistake() -> None:
    wrong = json.loads(json.dumps(one("Deployment")))
    wrong["spec"]["template"]["spec"]["containers"][0]["port"] = 1
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, "1.31", strict=True)


def test_the_parts_on_the_cluster_find_each_other() -> None:
    pod = one("Deployment")["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    assert one("Service")["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    assert one("HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]["name"] == one("Deployment")["metadata"]["name"]
    assert {probe["httpGet"]["path"] for name, probe in container.items() if name.endswith("Probe")} == {
        "/readyz",
        "/healthz",
    }
    # Requests come by the Service's name, which the service has to know.
    assert container["args"][container["args"].index("--allow-host") + 1] == one("Service")["metadata"]["name"]
    assert container["resources"]["limits"]["memory"]
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["spec"]["volumes"]}


def test_the_image_is_made_by_the_script_runs_without_root_and_is_probed() -> None:
    assert steps("build")[-1] == ("RUN", "deploy/install-service /opt/fortydays")
    service = dict(steps("service"))
    assert service["USER"] == "10001"
    assert service["COPY"] == "--from=build /opt/fortydays /opt/fortydays"
    assert "/readyz" in service["HEALTHCHECK"]
    assert json.loads(service["CMD"])[0] == "serve"
    probe = json.loads(service["HEALTHCHECK"].partition("CMD ")[2])
    compile(probe[2], "probe", "exec")


def test_what_the_image_is_built_from_is_let_in_and_nothing_else() -> None:
    lines = (DEPLOY / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
    let_in = {line[1:] for line in lines if line.startswith("!")}
    assert "*" in lines
    assert all((ROOT / path).exists() for path in let_in)
    copied = {path for kind, rest in steps("tracker") if kind == "COPY" for path in shlex.split(rest)[:-1]}
    assert all(any(path == each or path.startswith(f"{each}/") for each in let_in) for path in copied)


def test_the_stack_has_its_three_parts_on_this_machine_only() -> None:
    services = COMPOSE["services"]
    assert set(services) == {"postgres", "mlflow", "service"}
    for name in ("mlflow", "service"):
        assert all(port.startswith("127.0.0.1:") for port in services[name]["ports"])
        assert services[name]["build"]["target"] in (DEPLOY / "Dockerfile").read_text("utf-8")
    assert "ports" not in services["postgres"]
    volumes = {v.split(":")[0] for each in services.values() for v in each["volumes"] if not v.startswith("$")}
    assert volumes == set(COMPOSE["volumes"])
    assert ":?" in services["service"]["environment"]["FORTYDAYS_TOKEN"]


def test_the_script_says_how_it_is_used(tmp_path: Path) -> None:
    for arguments in ([], [str(tmp_path)]):
        told = subprocess.run([DEPLOY / "install-service", *arguments], capture_output=True, text=True, check=False)
        assert (told.returncode, told.stderr) == (2, "Usage: deploy/install-service NEW_FOLDER [PYTHON]\n")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_what_the_image_holds_serves_a_bundle_and_is_small(tmp_path: Path) -> None:
    place = tmp_path / "a folder" / "fortydays"
    place.parent.mkdir()
    subprocess.run([DEPLOY / "install-service", place, sys.executable], check=True, timeout=500)

    size = sum(path.lstat().st_size for path in place.rglob("*") if path.is_file())
    assert size < 350 * MIB
    (packages,) = place.glob("lib/python*/site-packages")
    assert not {path.name for path in packages.iterdir()} & {
        "tensorflow",
        "keras",
        "mlflow",
        "scipy",
        "torch",
        "jax",
        "pip",
    }

    bundle(tmp_path / "bundle")
    (command, *arguments) = [
        *json.loads(dict(steps("service"))["ENTRYPOINT"]),
        *json.loads(dict(steps("service"))["CMD"]),
    ]
    command = command.replace("/opt/fortydays", str(place))
    arguments = [str(tmp_path / "bundle") if argument == "/bundle" else argument for argument in arguments]
    environment = {
        "FORTYDAYS_HOME": str(tmp_path / "state"),
        "FORTYDAYS_TOKEN": "a-token-of-a-test",
        "PATH": os.defpath,
    }
    running = subprocess.Popen(
        [place / "bin" / "python", command, *arguments, "--port", "0"],
        env=environment, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert running.stdout is not None
        address = next(word.rstrip(".") for word in running.stdout.readline().split() if word.startswith("http"))
        end = time.monotonic() + 30
        probe = json.loads(dict(steps("service"))["HEALTHCHECK"].partition("CMD ")[2])[2]
        probe = probe.replace("http://127.0.0.1:8000", address)
        while subprocess.run([place / "bin" / "python", "-c", probe], capture_output=True, check=False).returncode:
            assert time.monotonic() < end
        request = urllib.request.Request(
            f"{address}/predict",
            json.dumps({"pixels": [[255] + [0] * 7] + [[0] * 8] * 7}).encode(),
            {"Content-Type": "application/json", "Authorization": "Bearer a-token-of-a-test"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert json.load(answer)["predictions"][0]["top"][0]["class"] == "3"
        assert psutil.Process(running.pid).memory_info().rss < 250 * MIB
    finally:
        running.terminate()
        running.communicate(timeout=30)
