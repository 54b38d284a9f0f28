"""The deployment files: read as their programs read them, and their steps done without a container engine."""

import json
import os
import re
import shlex
import subprocess
import sys
import time
import tomllib
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
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    shipped = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert {"evidence", "docs"} <= set(shipped) <= let_in
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


def test_each_part_of_the_stack_is_confined() -> None:
    for name, service in COMPOSE["services"].items():
        assert service["read_only"] is True, name
        assert "/tmp" in service["tmpfs"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["mem_limit"], name
        assert service["pids_limit"], name
    users = {COMPOSE["services"]["postgres"]["user"].partition(":")[0]}
    users |= {dict(steps(each["build"]["target"]))["USER"] for each in COMPOSE["services"].values() if "build" in each}
    assert users == {"999", "10001"}


def test_nobody_but_mlflow_reaches_the_database() -> None:
    networks = {name: set(service["networks"]) for name, service in COMPOSE["services"].items()}
    assert networks["postgres"] == {"database"}
    assert COMPOSE["networks"]["database"] == {"internal": True}
    assert not networks["service"] & (networks["mlflow"] | networks["postgres"])
    assert set().union(*networks.values()) == set(COMPOSE["networks"])


def test_secrets_are_files_and_nothing_else() -> None:
    for name, service in COMPOSE["services"].items():
        assert "password" not in " ".join(service.get("command", [])).lower(), name
        for variable, value in service.get("environment", {}).items():
            if "PASSWORD" in variable or "TOKEN" in variable:
                assert variable.endswith("_FILE"), name
                assert value.removeprefix("/run/secrets/") in service["secrets"], name
    assert all(set(secret) == {"file"} for secret in COMPOSE["secrets"].values())
    ignored = (ROOT / ".gitignore").read_text("utf-8").splitlines()
    assert "/secrets/" in ignored

    pod = one("Deployment")["spec"]["template"]["spec"]
    variables = {variable["name"]: variable["value"] for variable in pod["containers"][0]["env"]}
    mounts = {mount["mountPath"]: mount["name"] for mount in pod["containers"][0]["volumeMounts"]}
    folder, _, key = variables["FORTYDAYS_TOKEN_FILE"].rpartition("/")
    (secret,) = (each["secret"] for each in pod["volumes"] if each["name"] == mounts[folder])
    assert key == "token"
    # Its group reads it, and that is the one the service runs with.
    assert secret["defaultMode"] == 0o440
    assert pod["securityContext"]["fsGroup"] == 10001


def test_the_password_of_the_database_is_on_no_command_line_and_in_no_environment(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("a:b\\c d\n")
    (tmp_path / "mlflow").write_text(
        '#!/bin/sh\nls -l "$PGPASSFILE" | cut -c1-10; cat "$PGPASSFILE"; echo "$@"; env\n'
    )
    (tmp_path / "mlflow").chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.defpath}", "TMPDIR": str(tmp_path)}
    command = [DEPLOY / "start-tracker"]
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert told.returncode != 0
    assert "POSTGRES_PASSWORD_FILE: names no file with a password" in told.stderr

    environment["POSTGRES_PASSWORD_FILE"] = str(tmp_path / "password")
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    mode, line, *rest = told.stdout.splitlines()
    assert (mode, line) == ("-rw-------", r"postgres:5432:mlflow:mlflow:a\:b\\c d")
    assert "mlflow@postgres/mlflow" in rest[0]
    assert "c d" not in "".join(rest)


def test_whoever_is_not_let_in_by_the_cluster_is_kept_out() -> None:
    policies = {each["metadata"]["name"]: each["spec"] for each in CLUSTER if each["kind"] == "NetworkPolicy"}
    assert policies["nothing"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    let_in = policies["fortydays"]
    pod = one("Deployment")["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    assert let_in["podSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    assert let_in["policyTypes"] == ["Ingress"]
    assert let_in["ingress"] == [{"ports": [{"protocol": "TCP", "port": container["ports"][0]["name"]}]}]
    spaces = {each["metadata"].get("namespace") for each in CLUSTER if each["kind"] != "Namespace"}
    assert spaces == {one("Namespace")["metadata"]["name"]}


# Made by the reader from the Dockerfile, so that there is no digest to know.
MADE_BY_THE_READER = {"fortydays-mnist:1"}


def test_what_comes_from_elsewhere_is_pinned_by_digest() -> None:
    images = re.findall(r"^FROM (\S+)", (DEPLOY / "Dockerfile").read_text("utf-8"), re.MULTILINE)
    images += [service["image"] for service in COMPOSE["services"].values() if "image" in service]
    images += [each["image"] for each in one("Deployment")["spec"]["template"]["spec"]["containers"]]
    assert len(images) >= 5
    unpinned = {image for image in images if not re.fullmatch(r"[a-z/.-]+:[\w.-]+@sha256:[0-9a-f]{64}", image)}
    assert unpinned == MADE_BY_THE_READER

    actions = re.findall(r"uses: (.*)", "".join(p.read_text("utf-8") for p in (ROOT / ".github").rglob("*.yml")))
    assert actions
    for action in actions:
        assert re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action


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

    (tmp_path / "token").write_text("a-token-of-a-test\n")
    bundle(tmp_path / "bundle")
    (command, *arguments) = [
        *json.loads(dict(steps("service"))["ENTRYPOINT"]),
        *json.loads(dict(steps("service"))["CMD"]),
    ]
    command = command.replace("/opt/fortydays", str(place))
    arguments = [str(tmp_path / "bundle") if argument == "/bundle" else argument for argument in arguments]
    environment = {
        "FORTYDAYS_HOME": str(tmp_path / "state"),
        "FORTYDAYS_TOKEN_FILE": str(tmp_path / "token"),
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
