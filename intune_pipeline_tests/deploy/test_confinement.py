"""What a process that was taken over could reach and do, in the files that operators deploy."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
DAGSTER = {"code", "daemon", "probe", "webserver"}
COMPOSE = yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
VALUES = yaml.safe_load((DEPLOY / "kubernetes" / "values.yaml").read_text())


def documents(name: str) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all((DEPLOY / "kubernetes" / name).read_text()) if document]


def reachable(service: str) -> set[str]:
    """Who shares a network with a service."""
    networks = set(SERVICES[service]["networks"])
    return {name for name, other in SERVICES.items() if networks & set(other["networks"])} - {service}


def test_compose_keeps_the_portal_away_from_dagster() -> None:
    assert reachable("portal") == {"caddy", "postgres"}
    assert reachable("caddy") == {"portal", "oauth2-proxy"}
    assert reachable("oauth2-proxy") == {"caddy", "webserver"}


def test_compose_lets_out_only_who_asks_somebody_outside() -> None:
    """Names to Microsoft, to the sign-in providers, to those who are alarmed and to the dead man's switch; the UI and the database have nobody."""
    open_networks = {name for name, network in COMPOSE["networks"].items() if not (network or {}).get("internal")}
    let_out = {name for name, service in SERVICES.items() if open_networks & set(service["networks"])}
    assert let_out == {"code", "probe", "portal", "oauth2-proxy", "caddy"}
    assert {network for service in SERVICES.values() for network in service["networks"]} == set(COMPOSE["networks"])


@pytest.mark.parametrize("name", SERVICES)
def test_compose_confines_every_service(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.get("privileged")
    if name == "caddy":
        assert service["cap_add"] == ["NET_BIND_SERVICE"]
    else:
        assert "cap_add" not in service
        assert re.fullmatch(r"[1-9][0-9]*:[1-9][0-9]*", service["user"])


def test_dagsters_processes_can_write_where_dagster_writes() -> None:
    for name in DAGSTER:
        places = [*SERVICES[name]["tmpfs"], *SERVICES[name].get("volumes", [])]
        assert any("/opt/dagster/storage" in place for place in places), name
        assert "/tmp" in SERVICES[name]["tmpfs"]  # noqa: S108 - a path inside a container


def test_the_image_runs_as_a_number_and_its_ui_is_guarded() -> None:
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()
    assert [line for line in lines if line.startswith("USER")] == ["USER 10001:10001"]
    assert "RUN ln -sf guarded-dagster-webserver /opt/venv/bin/dagster-webserver" in lines
    assert "guarded-dagster-webserver = " in (ROOT / "pyproject.toml").read_text()


def test_the_guard_knows_the_address_that_people_open() -> None:
    webserver = SERVICES["webserver"]
    assert webserver["command"][0] == "guarded-dagster-webserver"
    assert webserver["environment"]["DAGSTER_UI_URL"] == "https://${DAGSTER_HOST:?}"
    chart = VALUES["dagsterWebserver"]
    host = VALUES["ingress"]["dagsterWebserver"]["host"]
    assert {"name": "DAGSTER_UI_URL", "value": f"https://{host}"} in chart["env"]
    user_code = VALUES["dagster-user-deployments"]["deployments"][0]
    assert chart["image"]["repository"] == user_code["image"]["repository"]
    for probe in (chart["readinessProbe"], chart["livenessProbe"]):
        assert probe["httpGet"]["httpHeaders"] == [{"name": "Host", "value": host}]
        assert probe["httpGet"]["port"] == chart["service"]["port"]


def test_the_operators_cookie_stays_away_from_what_other_sites_ask_for() -> None:
    environment = SERVICES["oauth2-proxy"]["environment"]
    assert environment["OAUTH2_PROXY_COOKIE_SAMESITE"] == "strict"
    assert environment["OAUTH2_PROXY_COOKIE_CSRF_SAMESITE"] == "lax", "else no sign-in comes back from its provider"
    assert environment["OAUTH2_PROXY_COOKIE_SECURE"] == "true"
    assert environment["OAUTH2_PROXY_COOKIE_NAME"].startswith("__Host-")


def test_images_are_named_by_version_at_least() -> None:
    for name, service in SERVICES.items():
        tag = service["image"].partition(":")[2]
        assert tag, name
        assert not tag.startswith("latest"), name
    assert re.search(r":v[0-9.]+@sha256:[0-9a-f]{64}$", SERVICES["oauth2-proxy"]["image"])


def pods() -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Each pod of the Kubernetes files: its name, its security context and its container's."""
    for document in documents("portal.yaml"):
        if document["kind"] in {"Job", "Deployment"}:
            spec = document["spec"]["template"]["spec"]
            assert spec["automountServiceAccountToken"] is False
            yield document["metadata"]["name"], spec["securityContext"], spec["containers"][0]["securityContext"]
    [probe] = documents("probe.yaml")
    spec = probe["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert spec["automountServiceAccountToken"] is False
    yield probe["metadata"]["name"], spec["securityContext"], spec["containers"][0]["securityContext"]
    for part in (
        VALUES["dagsterWebserver"],
        VALUES["dagsterDaemon"],
        *VALUES["dagster-user-deployments"]["deployments"],
    ):
        assert {mount["mountPath"] for mount in part["volumeMounts"]} == {"/opt/dagster/dagster_home", "/tmp"}  # noqa: S108
        yield str(part.get("name", "chart")), part["podSecurityContext"], part["securityContext"]
    run = VALUES["runLauncher"]["config"]["k8sRunLauncher"]["runK8sConfig"]
    yield "run", run["podSpecConfig"]["securityContext"], run["containerConfig"]["securityContext"]


def test_kubernetes_confines_every_pod() -> None:
    found = list(pods())
    assert len(found) == 7
    for name, pod, container in found:
        assert pod["runAsNonRoot"] is True, name
        assert pod["runAsUser"] == 10001, name
        assert pod["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert container == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, name


def test_kubernetes_policies_choose_the_pods_there_are_and_keep_the_portal_from_dagster() -> None:
    policies = {document["metadata"]["name"]: document["spec"] for document in documents("network-policies.yaml")}
    labels = {
        document["spec"]["template"]["metadata"]["labels"]["app"]
        for document in documents("portal.yaml")
        if "template" in document["spec"]
    }
    [probe] = documents("probe.yaml")
    labels.add(probe["spec"]["jobTemplate"]["spec"]["template"]["metadata"]["labels"]["app"])
    chosen = {policy["podSelector"]["matchLabels"].get("app") for policy in policies.values()} - {None}
    assert labels == chosen
    dagster_ports = {
        VALUES["dagsterWebserver"]["service"]["port"],
        VALUES["dagsterWebserver"]["workspace"]["servers"][0]["port"],
    }
    for name in labels:
        assert "Egress" in policies[name]["policyTypes"]
        allowed = {rule["port"] for rules in policies[name]["egress"] for rule in rules["ports"]}
        assert not allowed & dagster_ports
    assert policies["dagster"]["ingress"][0]["ports"] == [{"port": 4000}]
    for name in ("intune-portal", "dagster-webserver"):
        [rule] = policies[name]["ingress"]
        assert rule["from"] == [
            {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress-nginx"}}}
        ]


class _NoDuplicates(yaml.SafeLoader):
    """Refuses a key that is there twice, of which YAML takes the last without a word."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        keys = [key.value for key, _ in node.value if key.value != "<<"]
        assert len(keys) == len(set(keys)), f"twice, {node.start_mark}"
        return super().construct_mapping(node, deep)


@pytest.mark.parametrize("path", sorted([*ROOT.glob("*.yaml"), *DEPLOY.rglob("*.yaml")]), ids=lambda path: path.name)
def test_no_key_is_there_twice(path: Path) -> None:
    assert list(yaml.load_all(path.read_text(), _NoDuplicates))
