"""What is wrong with a configuration of CircleCI, one line each. Called as

    python3 check_circleci.py path/to/config.yml path/to/the/repository

The public schema misses the worst mistakes: it lets `requires` name jobs that don't exist, which then
never run. Needs check-jsonschema, whose YAML reader is used as well.
"""

import re
import subprocess
import sys
from pathlib import Path

from ruamel.yaml import YAML

SECRET_NAME = re.compile(r"(?<!EMPTY_)(PASSWORD|SECRET|TOKEN|PRIVATE_KEY|ACCESS_KEY|API_KEY)$", re.I)
SECRET_VALUE = re.compile(r"AKIA[0-9A-Z]{16}|-----BEGIN [A-Z ]*PRIVATE KEY|://[^/\s:$]+:[^@\s$]+@")
BUILT_IN = {"checkout", "run", "save_cache", "restore_cache", "persist_to_workspace", "attach_workspace",
            "store_artifacts", "store_test_results", "setup_remote_docker", "add_ssh_keys", "when", "unless"}


def main():
    path, root = Path(sys.argv[1]), Path(sys.argv[2])
    problems = list(schema(path))
    config = YAML(typ="safe").load(path.read_text())
    for check in (workflows, steps, images, secrets):
        problems += check(config, root)
    print("\n".join(problems))
    sys.exit(1 if problems else 0)


def schema(path):
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.circle-ci", str(path)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        yield "the schema is not kept: " + " ".join(done.stdout.split())


def entries(workflow):
    """The jobs of a workflow with what it says of them, by the names that others require."""
    for entry in workflow.get("jobs", []):
        job, about = (entry, {}) if isinstance(entry, str) else next(iter(entry.items()))
        about = about or {}
        yield about.get("name", job), job, about


def required(about):
    return [it if isinstance(it, str) else next(iter(it)) for it in about.get("requires", [])]


def workflows(config, root):
    for name, workflow in config.get("workflows", {}).items():
        if name == "version":
            continue
        known = {called: about for called, _, about in entries(workflow)}
        for called, job, about in entries(workflow):
            if job not in config.get("jobs", {}) and about.get("type") != "approval" and "/" not in job:
                yield f"workflow {name}: there is no job {job}"
            for other in required(about):
                if other not in known:
                    yield f"workflow {name}: {called} requires {other}, which is not in it, and never runs"
                else:
                    yield from filters(name, called, about, other, known[other])
        yield from cycles(name, known)


def filters(workflow, called, about, other, before):
    """Tags run only jobs that have a filter for them; a branch must pass both."""
    own, others = about.get("filters", {}), before.get("filters", {})
    if "tags" in own and "tags" not in others:
        yield f"workflow {workflow}: {called} runs for tags, and {other}, which it requires, does not"
    only = lambda it: set(as_list((it.get("branches") or {}).get("only", [])))
    if only(own) and only(others) and not only(own) & only(others):
        yield f"workflow {workflow}: {called} and {other}, which it requires, never run for the same branch"


def as_list(value):
    return value if isinstance(value, list) else [value]


def cycles(workflow, known):
    def walk(called, path):
        if called in path:
            return [*path[path.index(called):], called]
        for other in required(known.get(called, {})):
            found = walk(other, [*path, called])
            if found:
                return found
        return None

    for called in known:
        found = walk(called, [])
        if found and found[0] == min(found):
            yield f"workflow {workflow}: these wait for each other: {' → '.join(found)}"
            return


def all_steps(config):
    for kind in ("jobs", "commands"):
        for name, it in config.get(kind, {}).items():
            for step in it.get("steps", []):
                yield name, step


def steps(config, root):
    packages = {path.parent.name for path in root.glob("crates/*/Cargo.toml")}
    for name, step in all_steps(config):
        kind, about = (step, {}) if isinstance(step, str) else next(iter(step.items()))
        if kind not in BUILT_IN and kind not in config.get("commands", {}) and "/" not in kind:
            yield f"{name}: there is no step or command {kind}"
        if kind != "run":
            continue
        command = about if isinstance(about, str) else about.get("command", "")
        for program in re.findall(r"(?:^|[;&|]\s*)((?:dev|\.ci|crates)/\S+)", command, re.M):
            if not (root / program).exists():
                yield f"{name}: {program} is not in the repository"
        for package in re.findall(r"(?:-p|--package)[ =]([\w-]+)", command):
            if package not in packages:
                yield f"{name}: there is no package {package}"


def images(config, root):
    for kind in ("jobs", "executors"):
        for name, it in config.get(kind, {}).items():
            for image in it.get("docker", []):
                if ":" not in image["image"] or image["image"].endswith(":latest"):
                    yield f"{name}: the image {image['image']} is another one every day: name a tag"


def secrets(config, root, path=""):
    if isinstance(config, dict):
        for key, value in config.items():
            clear = isinstance(value, str) and value and "$" not in value and "<<" not in value
            if clear and SECRET_NAME.search(str(key)):
                yield f"{path}{key}: a secret in clear: keep it in a context"
            yield from secrets(value, root, f"{path}{key}.")
    elif isinstance(config, list):
        for number, value in enumerate(config):
            yield from secrets(value, root, f"{path}{number}.")
    elif isinstance(config, str) and SECRET_VALUE.search(config):
        yield f"{path.rstrip('.')}: a secret in clear: keep it in a context"


main()
