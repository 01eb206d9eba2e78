"""The measurements of `dev/bench image`, which see. Called by it as

    python3 bench_image.py path/to/imagebuild path/to/limit path/to/a/program [--json] [--runs 5]

An image of a program, its libraries, migrations and assets goes to a registry of this machine: built
by imagebuild, and by buildah from a Dockerfile that says the same. Whole processes are timed, from
their start until they have ended; the tools take turns, the best of all runs counts. Everything is in
a temporary folder, with stores of its own.
"""

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

GIB = 1 << 30

DOCKERFILE = """FROM scratch
COPY system /
COPY migrations /srv/migrations
COPY assets /srv/assets
COPY server /usr/local/bin/server
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/server"]
"""


def main():
    parser = argparse.ArgumentParser(prog="dev/bench image")
    parser.add_argument("imagebuild")
    parser.add_argument("limit")
    parser.add_argument("program")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-image.") as folder:
        with Registry(Path(folder)) as registry:
            rows = Bench(arguments, Path(folder), registry.address).rows()
    if arguments.json:
        json.dump(rows, sys.stdout, indent=2)
        print()
    else:
        show(rows)


class Registry:
    """Debian's docker-registry, until the end of the block."""

    def __init__(self, folder):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        self.config = folder / "registry.yml"
        self.config.write_text(
            "version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n"
            f"storage: {{filesystem: {{rootdirectory: {folder}/registry}}}}\n"
            f"http: {{addr: {self.address}}}\n"
        )

    def __enter__(self):
        command = ["docker-registry", "serve", self.config]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        host, port = self.address.split(":")
        for _ in range(100):
            try:
                socket.create_connection((host, int(port))).close()
                return self
            except OSError:
                time.sleep(0.05)
        raise SystemExit("docker-registry did not start")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


def run(*command, **options):
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, stdin=subprocess.DEVNULL, **options
    )
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))} failed:\n{done.stderr}")
    return done


def timed(*commands, **options):
    begun = time.perf_counter()
    for command in commands:
        run(*command, **options)
    return time.perf_counter() - begun


class Bench:
    def __init__(self, arguments, folder, registry):
        self.imagebuild = Path(arguments.imagebuild).resolve()
        self.limit_program = Path(arguments.limit).resolve()
        self.runs = arguments.runs
        self.folder, self.registry = folder, registry
        self.context = folder / "context"
        self.counter = 0
        (self.context / "assets").mkdir(parents=True)
        (self.context / "migrations").mkdir()
        for number in range(100):
            # Text that compresses about as scripts do.
            line = f"export const value{number} = {number * 7919};\n"
            (self.context / f"assets/{number}.js").write_text(line * (20_000 // len(line)))
        for number in range(10):
            text = f"CREATE TABLE t{number} (id BIGINT PRIMARY KEY);\n"
            (self.context / f"migrations/{number:04}_t.sql").write_text(text)
        shutil.copy(arguments.program, self.context / "server")
        self.size = (self.context / "server").stat().st_size
        self.system()
        (self.context / "Dockerfile").write_text(DOCKERFILE)
        self.storage = self.pick_storage()

    def system(self):
        """The libraries and system files that imagebuild would put in, for buildah to copy."""
        plan = json.loads(run(self.imagebuild, "plan", *self.what(), "--json", cwd=self.context).stdout)
        for file in plan["files"]:
            if file["layer"] == "libraries":
                to = self.context / "system" / file["path"].lstrip("/")
                to.parent.mkdir(parents=True, exist_ok=True)
                if Path(file["path"]).exists():
                    shutil.copy(file["path"], to)
                else:
                    to.write_bytes(b"x" * file["size"])

    def what(self):
        copies = ["--copy", "migrations:/srv/migrations", "--copy", "assets:/srv/assets"]
        return ["--binary", "server", "--place", "/usr/local/bin/server", *copies]

    def pick_storage(self):
        """buildah's faster store, where the machine allows it."""
        for driver in ["overlay", "vfs"]:
            store = ["--root", self.folder / driver, "--runroot", self.folder / f"{driver}-run"]
            command = ["buildah", "--storage-driver", driver, *map(str, store)]
            if subprocess.run([*command, "from", "scratch"], capture_output=True).returncode == 0:
                self.driver = driver
                return command
        raise SystemExit("buildah works with neither overlay nor vfs here")

    def ours(self, name, cache):
        output = f"docker://{self.registry}/{name}:1"
        command = [self.imagebuild, "build", *self.what(), "-o", output, "--cache", self.folder / cache]
        return timed(command, cwd=self.context)

    def theirs(self, name):
        bud = [*self.storage, "bud", "--layers", "--quiet", "--tag", name, "."]
        to = f"docker://{self.registry}/{name}:1"
        push = [*self.storage, "push", "--quiet", "--tls-verify=false", name, to]
        return timed(bud, push, cwd=self.context)

    def next(self):
        self.counter += 1
        return self.counter

    def change_asset(self):
        (self.context / "assets/7.js").write_text(f"export const changed = {self.next()};\n")

    def change_program(self):
        program = self.context / "server"
        with open(program, "r+b") as file:
            file.truncate(self.size)
            file.seek(0, os.SEEK_END)
            file.write(f"changed {self.next()}".encode())

    def rows(self):
        rows = []
        best = {"ours": [], "theirs": []}
        for number in range(self.runs):
            best["ours"].append(self.ours(f"cold-ours-{number}", f"cold-{number}"))
            run(*self.storage, "rmi", "--all", "--force")
            best["theirs"].append(self.theirs(f"cold-theirs-{number}"))
        files = [path for path in sorted(self.context.rglob("*")) if path.is_file()]
        limit = min(float(run(self.limit_program, *files).stdout) for _ in range(self.runs))
        cold = self.row("everything cold, build and push", best, "buildah", 4.0)
        rows.append(cold)
        rows.append({
            "what": "the same, beside compressing and hashing alone", "ours": cold["ours"],
            "peer": "the limit", "theirs": limit, "ratio": cold["ours"] / limit, "wanted": "at most 1.3 times",
        })
        self.ours("app-ours", "cache")
        self.theirs("app-theirs")
        for what, change, wanted in [
            ("nothing changed", None, 10.0),
            ("one asset changed", self.change_asset, 10.0),
            ("only the program changed", self.change_program, 4.0),
        ]:
            times = {"ours": [], "theirs": []}
            for _ in range(self.runs):
                if change:
                    change()
                times["ours"].append(self.ours("app-ours", "cache"))
                times["theirs"].append(self.theirs("app-theirs"))
            rows.append(self.row(what, times, "buildah", wanted))
        rows.append(self.push())
        rows.append(self.large())
        return rows

    def row(self, what, times, peer, wanted):
        ours, theirs = min(times["ours"]), min(times["theirs"])
        if what == "nothing changed":
            words = f"at least {wanted:g} times faster, under 0.1 s"
        else:
            words = f"at least {wanted:g} times faster"
        return {"what": what, "ours": ours, "peer": peer, "theirs": theirs, "ratio": theirs / ours, "wanted": words}

    def push(self):
        times = {"ours": [], "theirs": []}
        for _ in range(self.runs):
            # Something new for each, which neither the registry nor skopeo's memory of blobs knows.
            for who in times:
                self.change_program()
                layout = f"oci:{self.folder}/push:1"
                cache = ["--cache", self.folder / "cache"]
                run(self.imagebuild, "build", *self.what(), "-o", layout, *cache, cwd=self.context)
                to = f"docker://{self.registry}/push-{who}-{self.next()}:1"
                if who == "ours":
                    command = [self.imagebuild, "push", layout, to, *cache]
                else:
                    command = ["skopeo", "copy", "--quiet", "--dest-tls-verify=false", layout, to]
                times[who].append(timed(command))
        row = self.row("push of a new image", times, "skopeo", 1.0)
        return {**row, "wanted": "no slower"}

    def large(self):
        """A layer of 2 GiB, half of which compresses."""
        folder = self.folder / "large"
        folder.mkdir()
        with open(folder / "data", "wb") as file:
            noise = os.urandom(1 << 19)
            for number in range(2 * GIB // (1 << 20)):
                file.write(number.to_bytes(8, "big") + noise[8:] + bytes(1 << 19))
        command = ["/usr/bin/time", "-f", "%M", self.imagebuild, "build", "--binary", "server"]
        command += ["--copy", f"{folder}:/data", "-o", f"docker://{self.registry}/large:1"]
        begun = time.perf_counter()
        done = run(*command, "--cache", self.folder / "cache", cwd=self.context)
        mebibytes = int(done.stderr.strip().splitlines()[-1]) / 1024
        return {
            "what": "a layer of 2 GiB, built and pushed", "ours": time.perf_counter() - begun,
            "memory_mib": mebibytes, "wanted": "at most 100 MiB of memory",
        }


def show(rows):
    print(f"{'':48} {'ours':>9} {'theirs':>9}          {'':7} wanted")
    for row in rows:
        ours = f"{row['ours']:.3f} s"
        if "memory_mib" in row:
            print(f"{row['what']:48} {ours:>9} {row['memory_mib']:>6.1f} MiB {'':15} {row['wanted']}")
            continue
        theirs, peer = f"{row['theirs']:.3f} s", row["peer"]
        print(f"{row['what']:48} {ours:>9} {theirs:>9} {peer:9} {row['ratio']:5.1f} x  {row['wanted']}")


main()
