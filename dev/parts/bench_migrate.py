"""The measurements of `dev/bench migrate`, which see. Called by it as

    python3 bench_migrate.py path/to/migrate [--json] [--sizes 10,1000,10000] [--runs 20]

with TEST_MYSQL_URL, TEST_MARIADB_URL and TEST_PEERS set.

For each server and each number of migrations, every tool gets a database of its own and applies its
folder once. Then runs with nothing to do are timed: whole processes, from their start until they
have ended, the tools taking turns. A first turn is not counted; it gives the memory.
"""

import argparse
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

TOOLS = ["migrate", "sqlx", "sequelize-cli", "dbmate"]

# A run that takes longer than this is repeated less often.
SLOW_SECONDS = 1.0
RUNS_WHEN_SLOW = 5

# sequelize-cli would take minutes to apply more than this. Its rows are written for it then: what
# it reads when there is nothing to do is the same.
SEQUELIZE_APPLIES = 1000

INSERT_NAMES = """
const [url, folder, program] = process.argv.slice(1);
const beside = require('module').createRequire(require('fs').realpathSync(program));
beside('mysql2/promise').createConnection(url).then(async db => {
  const names = require('fs').readdirSync(folder).map(name => [name]);
  await db.query('INSERT IGNORE INTO SequelizeMeta (name) VALUES ?', [names]);
  await db.end();
});
"""


def main():
    parser = argparse.ArgumentParser(prog="dev/bench migrate")
    parser.add_argument("program")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--sizes", default="10,1000,10000")
    parser.add_argument("--runs", type=int, default=20)
    arguments = parser.parse_args()
    sizes = sorted({int(size) for size in arguments.sizes.split(",")})
    if sizes[0] < 1 or arguments.runs < 1:
        parser.error("sizes and runs begin with 1")
    peers = Path(os.environ["TEST_PEERS"]).resolve()
    programs = {tool: peers / "bin" / tool for tool in TOOLS}
    programs["migrate"] = Path(arguments.program).resolve()

    results = []
    servers = {"MySQL": os.environ["TEST_MYSQL_URL"], "MariaDB": os.environ["TEST_MARIADB_URL"]}
    with tempfile.TemporaryDirectory(prefix="bench-migrate.") as folder:
        for size in sizes:
            write_migrations(Path(folder) / str(size), size)
        for server, url in servers.items():
            for size in sizes:
                say(f"{server}, {size:,} migrations")
                case = Case(programs, url, Path(folder) / str(size), size)
                for result in case.measure(arguments.runs):
                    results.append({"server": server, "migrations": size, **result})
    report = {"machine": machine(programs, servers), "results": results}
    report["limits"] = limits(results, sizes)
    report["notes"] = notes(sizes)
    print(json.dumps(report, indent=2) if arguments.json else table(report))


def say(text):
    print(text, file=sys.stderr, flush=True)


# The migrations: the same statements for every tool.


def write_migrations(folder, size):
    """The first makes a table, every other puts a row into it; 300 bytes each, as many are."""
    ours, sequelize, dbmate = (folder / name for name in ["sql", "sequelize", "dbmate"])
    for place in [ours, sequelize, dbmate]:
        place.mkdir(parents=True)
    for number in range(1, size + 1):
        version = 20210101000000 + number
        up, down = statements(number)
        (ours / f"{version}_step_{number}.up.sql").write_text(f"{up}\n")
        (ours / f"{version}_step_{number}.down.sql").write_text(f"{down}\n")
        (dbmate / f"{version}_step_{number}.sql").write_text(
            f"-- migrate:up\n{up}\n-- migrate:down\n{down}\n"
        )
        (sequelize / f"{version}-step-{number}.js").write_text(
            "module.exports = {\n"
            f"  up: query => query.sequelize.query({json.dumps(up)}),\n"
            f"  down: query => query.sequelize.query({json.dumps(down)}),\n"
            "};\n"
        )


def statements(number):
    if number == 1:
        return "CREATE TABLE steps (id INT PRIMARY KEY, body VARCHAR(250));", "DROP TABLE steps;"
    up = f"INSERT INTO steps (id, body) VALUES ({number}, '{'x' * 230}');"
    return up, f"DELETE FROM steps WHERE id = {number};"


# One server and one number of migrations.


class Case:
    def __init__(self, programs, server, folder, size):
        self.programs, self.server, self.folder, self.size = programs, server, folder, size

    def measure(self, runs):
        try:
            for tool in TOOLS:
                self.sqlx("create", tool)
                self.apply(tool)
            memory, runs_of, times = {}, {}, {tool: [] for tool in TOOLS}
            for tool in TOOLS:
                memory[tool], seconds = first_run(self.command(tool))
                runs_of[tool] = runs if seconds < SLOW_SECONDS else min(runs, RUNS_WHEN_SLOW)
            for turn in range(runs):
                # Nobody always follows the same one.
                first = turn % len(TOOLS)
                for tool in TOOLS[first:] + TOOLS[:first]:
                    if turn < runs_of[tool]:
                        times[tool].append(timed_run(self.command(tool)))
        finally:
            for tool in TOOLS:
                self.sqlx("drop", tool, "-y")
        return [
            {
                "tool": tool,
                "median_ms": round(statistics.median(times[tool]) * 1000, 2),
                "min_ms": round(min(times[tool]) * 1000, 2),
                "runs": len(times[tool]),
                "max_rss_kib": memory[tool],
            }
            for tool in TOOLS
        ]

    def command(self, tool):
        program, url = str(self.programs[tool]), self.url(tool)
        if tool == "migrate":
            return [program, "--database-url", url, "--source", f"{self.folder}/sql", "up"]
        if tool == "sqlx":
            source = ["--source", f"{self.folder}/sql", "--database-url", url]
            return [program, "migrate", "run", "--no-dotenv", *source]
        if tool == "dbmate":
            source = ["--migrations-dir", f"{self.folder}/dbmate", "--no-dump-schema"]
            return [program, "--url", url, *source, "up"]
        path = f"{self.folder}/sequelize"
        return [program, "db:migrate", "--url", url, "--migrations-path", path]

    def url(self, tool):
        """Without TLS for all of them: the sqlx-cli that is measured has none."""
        parts = urlsplit(self.server)
        plain = "ssl-mode=disabled" if tool in ["migrate", "sqlx"] else ""
        name = f"bench_{os.getpid()}_{tool.replace('-', '_')}_{self.size}"
        return urlunsplit(("mysql", parts.netloc, f"/{name}", plain, ""))

    def apply(self, tool):
        if tool != "sequelize-cli" or self.size <= SEQUELIZE_APPLIES:
            run(self.command(tool))
            return
        # Its first migration, for the table; then the names of all.
        with tempfile.TemporaryDirectory() as first:
            name = min(os.listdir(self.folder / "sequelize"))
            (Path(first) / name).symlink_to(self.folder / "sequelize" / name)
            program, url = str(self.programs[tool]), self.url(tool)
            run([program, "db:migrate", "--url", url, "--migrations-path", first])
        run(["node", "-e", INSERT_NAMES, self.url(tool), f"{self.folder}/sequelize", program])

    def sqlx(self, verb, tool, *arguments):
        url = urlsplit(self.url(tool))._replace(query="ssl-mode=disabled").geturl()
        sqlx = str(self.programs["sqlx"])
        run([sqlx, "database", verb, "--no-dotenv", *arguments, "--database-url", url])


def run(command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"failed: {' '.join(command)}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def first_run(command):
    """The memory at its highest, in KiB, and about how long it took. By a program between, because
    a process that Python starts counts Python's own memory as having been its own."""
    with tempfile.NamedTemporaryFile("r") as file:
        begun = time.monotonic()
        run(["/usr/bin/time", "-f", "%M", "-o", file.name, *command])
        return int(file.read()), time.monotonic() - begun


NOWHERE = [
    (os.POSIX_SPAWN_OPEN, descriptor, os.devnull, os.O_RDWR, 0) for descriptor in range(3)
]


def timed_run(command):
    begun = time.monotonic()
    child = os.posix_spawnp(command[0], command, os.environ, file_actions=NOWHERE)
    _, status = os.waitpid(child, 0)
    took = time.monotonic() - begun
    if status != 0:
        run(command)  # which says why it fails
        sys.exit(f"failed, but not when it was tried again: {' '.join(command)}")
    return took


# What is said about it.


def limits(results, sizes):
    """The limits that issue 3 sets, and what was measured."""

    def of(server, size, tool, what="median_ms"):
        key = (server, size, tool)
        return next(
            result[what]
            for result in results
            if (result["server"], result["migrations"], result["tool"]) == key
        )

    found = []
    for server in dict.fromkeys(result["server"] for result in results):
        small, large = sizes[0], sizes[-1]

        def add(text, limit, measured):
            found.append({"server": server, "what": text, "limit": limit, "measured": measured})

        def ratios(size, tool, to_size, to_tool):
            """The minimum is what a busy machine disturbs least."""
            median, least = (
                of(server, size, tool, what) / of(server, to_size, to_tool, what)
                for what in ["median_ms", "min_ms"]
            )
            return f"{median:.2f} times, by the minima {least:.2f}"

        text = f"time of sqlx, {small:,} migrations"
        add(text, "at most 1.2 times", ratios(small, "migrate", small, "sqlx"))
        text = f"faster than sequelize-cli, {small:,} migrations"
        add(text, "at least 40 times", ratios(small, "sequelize-cli", small, "migrate"))
        for before, after in zip(sizes, sizes[1:]):
            text = f"time with {after:,} migrations to that with {before:,}"
            limit = f"at most {after / before:g} times"
            add(text, limit, ratios(after, "migrate", before, "migrate"))
        if large != small:
            memory = [of(server, size, "migrate", "max_rss_kib") / 1024 for size in sizes]
            text = f"memory with {', '.join(f'{size:,}' for size in sizes)} migrations"
            add(text, "flat", ", ".join(f"{mib:.1f}" for mib in memory) + " MiB")
    return found


def notes(sizes):
    said = ["No connection uses TLS. Every tool has a database and a folder of its own; the two"
            " that read the same files share a folder."]
    large = [f"{size:,}" for size in sizes if size > SEQUELIZE_APPLIES]
    if large:
        said.append(f"sequelize-cli did not apply the {' and '.join(large)} migrations itself: the"
                    " rows of its history were written for it.")
    return said


def machine(programs, servers):
    def version(command):
        return subprocess.run(command, capture_output=True, text=True).stdout.split()

    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return {
        "cores": len(os.sched_getaffinity(0)),
        "processor": model,
        "system": f"{platform.system()} {platform.release()}",
        "versions": {
            "migrate": version(["git", "rev-parse", "--short", "HEAD"])[0],
            "sqlx": version([programs["sqlx"], "--version"])[-1],
            "sequelize-cli": version([programs["sequelize-cli"], "--version"])[-1],
            "dbmate": version([programs["dbmate"], "--version"])[-1],
            "node": version(["node", "--version"])[0],
            **{server: greeting(url) for server, url in servers.items()},
        },
    }


def greeting(url):
    """The version that a server greets everybody with."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port or 3306), timeout=5) as connection:
        return connection.recv(100)[5:].split(b"\0")[0].decode().removeprefix("5.5.5-")


def table(report):
    lines = []
    rows = report["results"]
    for server, size in dict.fromkeys((row["server"], row["migrations"]) for row in rows):
        lines.append(f"\n{server}, {size:,} migrations, nothing to do")
        lines.append(f"  {'':<14}{'median':>11}{'min':>11}{'to sqlx':>9}{'memory':>11}{'runs':>6}")
        case = [row for row in rows if (row["server"], row["migrations"]) == (server, size)]
        sqlx = next(row["median_ms"] for row in case if row["tool"] == "sqlx")
        for row in case:
            times = f"{row['median_ms']:>8.1f} ms{row['min_ms']:>8.1f} ms"
            memory = f"{row['max_rss_kib'] / 1024:>7.1f} MiB"
            ratio = f"{row['median_ms'] / sqlx:>9.2f}"
            lines.append(f"  {row['tool']:<14}{times}{ratio}{memory}{row['runs']:>6}")
    lines.append("\nWhat migrate should keep, and what was measured")
    for limit in report["limits"]:
        lines.append(
            f"  {limit['server']:<8} {limit['what']:<48} {limit['limit']:<18} {limit['measured']}"
        )
    lines += ["", *report["notes"]]
    about = report["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    system = f"{about['cores']} cores, {about['processor']}, {about['system']}"
    lines.append(f"Machine: {system}; {versions}")
    return "\n".join(lines).lstrip("\n")


main()
