"""Measure how fast a shop is read from MySQL: kindred's etl, the C client, plain Go, DuckDB, sling and Spark take turns in one run.

make bench-etl                                  5 million ratings on the running stack, about 15 minutes
make bench-etl ARGS="--customers 2000 --rounds 1 --slow-rounds 1"        a quick look
make bench-etl ARGS="--ids text --only 'kindred$|C client'"              keys of 36 characters

Competitors are installed from their packages into the folder bench of the state folder. A client's CPU seconds are the sum over all its
processes; those of the server are counted separately. Peak RSS is the sum over the client's processes.
"""
import argparse
import glob
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HERE = os.path.dirname(os.path.abspath(__file__))
KINDRED = os.environ.get("KINDRED_STATE") or os.path.join(ROOT, ".kindred")
STATE = os.path.join(KINDRED, "bench")
PEERS = ["duckdb==1.5.5", "duckdb-extension-mysql-scanner==1.5.5", "pyspark==3.5.4", "pyarrow==26.0.1", "sling==1.6.5"]
CONNECTOR = "com.mysql:mysql-connector-j:9.3.0"
DATABASE = "kindred_bench_etl"
# The keys of the shop: the seed's, or text of 36 characters.
IDS = {
    "seed": dict(customerType="int", customer="{0}+100", productType="varchar(15)", product="concat('S',10+mod({0},690),'_',lpad({0},5,'0'))"),
    "text": dict(customerType="varchar(36)", customer="concat('018f3c1e-5d0b-7c3a-9c52-',lpad({0}+100,12,'0'))", productType="varchar(36)",
                 product="concat(lpad(mod({0}*7919,1000000),8,'0'),'-5d0b-7c3a-9c52-',lpad({0},12,'0'))"),
}
COLUMNS = ("r.customerNumber, c.city, c.state, c.postalCode, c.country, c.creditLimit, r.productCode, p.productLine, p.productScale, "
           "p.quantityInStock, p.buyPrice, p.MSRP, r.productRating, r.ratedAt")
JOINED = (f"select {COLUMNS} from ratings r join customers c on c.customerNumber = r.customerNumber "
          "join products p on p.productCode = r.productCode")
BARE = "select customerNumber, productCode, productRating, ratedAt from ratings"
TICK, PAGE = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")


def process(pid):
    """Session, CPU seconds and resident bytes of a process."""
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rpartition(")")[2].split()
    return int(fields[3]), (int(fields[11]) + int(fields[12])) / TICK, int(fields[21]) * PAGE


def measure(commands, env, server, longest):
    """Runs steps one after the other, each a list of commands side by side; returns wall, CPU, server's CPU, peak RSS."""
    server_before = process(server)[1] if server else 0
    start, cpu, peak = time.time(), 0.0, 0
    for step in commands:
        running = [subprocess.Popen(c, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True) for c in step]
        said = {}
        talkers = [threading.Thread(target=lambda p=p: said.__setitem__(p.pid, p.communicate())) for p in running]
        for t in talkers:
            t.start()
        seen, sessions = {}, {p.pid for p in running}
        while any(t.is_alive() for t in talkers):
            if time.time() - start > longest:
                for p in running:
                    os.killpg(p.pid, signal.SIGKILL)
            total = 0
            for pid in filter(str.isdigit, os.listdir("/proc")):
                try:
                    session, used, resident = process(pid)
                except (OSError, ValueError, IndexError):
                    continue
                if session in sessions:
                    seen[pid] = used
                    total += resident
            peak = max(peak, total)
            time.sleep(0.02)
        for t in talkers:
            t.join()
        for p in running:
            if p.returncode:
                raise RuntimeError(f"{p.args[0]}: {said[p.pid][1].decode(errors='replace').strip()[-300:]}")
        cpu += sum(seen.values())
    return dict(wall=time.time() - start, cpu=cpu, server=process(server)[1] - server_before if server else 0, rss=peak)


def install():
    python = os.path.join(STATE, "peers", "bin", "python")
    mark = os.path.join(STATE, "peers", "ready-" + re.sub(r"\W+", "-", "".join(PEERS)))
    if not os.path.exists(mark):
        subprocess.run([sys.executable, "-m", "venv", os.path.join(STATE, "peers")], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *PEERS], check=True)
        open(mark, "w").close()
    jar = os.path.join(STATE, "jars", f"mysql-connector-j-{CONNECTOR.split(':')[-1]}.jar")
    if not os.path.exists(jar) and shutil.which("mvn"):
        subprocess.run(["mvn", "-q", "dependency:copy", f"-Dartifact={CONNECTOR}", f"-DoutputDirectory={os.path.dirname(jar)}"], check=True)
    for name, package in (("etl", "./jobs/etl"), ("plain", "./benchmarks/etl/plain")):
        subprocess.run(["go", "build", "-o", os.path.join(STATE, name), package], check=True, cwd=ROOT)
    return python, jar


def client():
    """The stack's mariadb client and what its unpacked package needs."""
    runtimes = os.environ.get("KINDRED_RUNTIMES") or KINDRED
    found = os.environ.get("KINDRED_BENCH_CLIENT") or next(iter(glob.glob(os.path.join(runtimes, "opt/mariadb/usr/bin/mariadb"))), None)
    found = found or shutil.which("mariadb") or sys.exit("no mariadb client: make local-up, or set KINDRED_BENCH_CLIENT")
    libraries = glob.glob(os.path.join(os.path.dirname(os.path.dirname(found)), "lib", "*-linux-gnu"))
    return found, dict(os.environ, LD_LIBRARY_PATH=":".join(libraries))


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--customers", type=int, default=100_000)
    a.add_argument("--products", type=int, default=20_000)
    a.add_argument("--each", type=int, default=50, help="ratings per customer")
    a.add_argument("--ids", choices=IDS, default="seed", help="keys of customers and products: the seed's, or text of 36 characters")
    a.add_argument("--rounds", type=int, default=5)
    a.add_argument("--slow-rounds", type=int, default=2, help="rounds in which Spark takes part")
    a.add_argument("--longest", type=float, default=600, help="seconds after which a program is stopped and left out")
    a.add_argument("--only", default="", help="regular expression of the names that run")
    a = a.parse_args()
    dsn = os.environ.get("MYSQL_DSN") or sys.exit("MYSQL_DSN is not set: make local-up, then make bench-etl")
    parsed = re.fullmatch(r"(?P<user>[^:@]*)(:(?P<password>.*))?@tcp\((?P<host>[^:)]*):(?P<port>\d+)\)/[^?]*.*", dsn)
    if not parsed:
        sys.exit("MYSQL_DSN is not of the form user:password@tcp(host:port)/database")
    global DATABASE
    DATABASE += "_text" if a.ids == "text" else ""
    user, password, host, port = parsed["user"], parsed["password"] or "", parsed["host"], parsed["port"]
    os.makedirs(STATE, exist_ok=True)
    python, jar = install()
    mariadb, with_libraries = client()
    with_libraries["MYSQL_PWD"] = password
    sql = [mariadb, "--no-defaults", "--default-character-set=utf8mb4", "-u", user, "-h", host, "-P", port]

    def ask(query, *options):
        return subprocess.run([*sql, *options, "-N", "-e", query], env=with_libraries, check=True, capture_output=True, text=True).stdout.strip()

    ask(f"create database if not exists {DATABASE}")
    rows = a.customers * a.each
    shape = f"{a.customers} {a.products} {a.each}"
    ids = IDS[a.ids]
    keys = {name: ids[name] for name in ("customerType", "productType")}
    keys |= dict(customer=ids["customer"].format("seq"), product=ids["product"].format("seq"),
                 ratingCustomer=ids["customer"].format("c.seq"), ratingProduct=ids["product"].format("c.p"))
    if ask(f"select table_comment from information_schema.tables where table_schema = '{DATABASE}' and table_name = 'ratings'") != shape:
        print(f"loading {rows} ratings ...", file=sys.stderr)
        with open(os.path.join(HERE, "load.sql")) as f:
            script = f.read()
        for name, value in dict(customers=a.customers, products=a.products, each=a.each, last=a.each - 1, **keys).items():
            script = script.replace("{%s}" % name, str(value))
        subprocess.run([*sql, DATABASE], input=script.encode(), env=with_libraries, check=True, stdout=subprocess.DEVNULL)
        ask(f"alter table {DATABASE}.ratings comment = '{shape}'")
    try:
        with open(ask("select @@pid_file")) as f:
            server = int(f.read())
    except OSError:
        server = 0  # on another machine
    tmp = os.path.join(STATE, "out")
    secret = f":{password}" if password else ""
    ours = f"{user}{secret}@tcp({host}:{port})/{DATABASE}"
    etl, lake = os.path.join(STATE, "etl"), f"file://{tmp}/lake"
    flags = ["--mysql-dsn", ours, "--lake", lake, "--scratch-dir", tmp, "--json"]
    job = ["--job", "bench"]
    connection = f"mysql://{user}{secret}@{host}:{port}/{DATABASE}"
    peers = {
        "C client, joined": [[[*sql, "-q", "-N", "-e", JOINED, DATABASE]]],
        "C client, bare ratings": [[[*sql, "-q", "-N", "-e", BARE, DATABASE]]],
        "plain Go, SQL join": [[[os.path.join(STATE, "plain"), ours + "?parseTime=true", JOINED, f"{tmp}/plain.parquet"]]],
        "DuckDB": [[[python, f"{HERE}/duckdb_peer.py", host, port, user, password, DATABASE, COLUMNS, f"{tmp}/duckdb.parquet"]]],
        "sling": [[[os.path.join(os.path.dirname(python), "sling"), "run", "--src-conn", connection, "--src-stream", JOINED,
                    "--tgt-object", f"file://{tmp}/sling.parquet"]]],
        "pyspark JDBC": [[[python, f"{HERE}/spark_peer.py", jar, host, port, user, password, DATABASE, "101", str(101 + a.customers), COLUMNS,
                           f"{tmp}/spark"]]],
        "kindred": [[[etl, "run", *flags]]],
        "kindred, 2 partitions": [[[etl, "plan", *job, "--partitions", "2", *flags]],
                                  [[etl, "run", *job, "--partition", f"{i}/2", *flags] for i in range(2)],
                                  [[etl, "commit-parts", *job, "--lake", lake, "--json"]]],
    }
    results, missing = {}, {}
    for round_number in range(max(a.rounds, a.slow_rounds)):
        for name, commands in peers.items():
            rounds = a.slow_rounds if name == "pyspark JDBC" else a.rounds
            if round_number >= rounds or name in missing or not re.search(a.only, name):
                continue
            shutil.rmtree(tmp, ignore_errors=True)
            os.makedirs(tmp)
            environment = with_libraries if name.startswith("C client") else dict(os.environ, PYSPARK_PYTHON=python)
            if name.startswith("C client"):
                commands = [[["sh", "-c", 'exec "$@" > /dev/null', "sh", *commands[0][0]]]]
            try:
                results.setdefault(name, []).append(measure(commands, environment, server, a.longest))
            except (RuntimeError, OSError) as e:
                missing[name] = str(e).splitlines()[-1]
                results.pop(name, None)
                continue
            last = results[name][-1]
            with open(os.path.join(STATE, "etl-runs.json"), "w") as f:  # what is known if the benchmark is stopped
                json.dump(dict(rows=rows, runs=results, missing=missing), f, indent=1)
            print(f"round {round_number + 1} {name:24s} {last['wall']:6.2f} s", file=sys.stderr)
    report(a, rows, results, missing)
    shutil.rmtree(tmp, ignore_errors=True)


def report(a, rows, results, missing):
    table = {}
    print(f"\n{rows} ratings, {a.customers} customers, {a.products} products; load of the machine {os.getloadavg()[0]:.1f}")
    print(f"{'':24s} {'best s':>7s} {'median':>7s} {'CPU s':>7s} {'server':>7s} {'RSS MB':>7s} {'rows per CPU s':>15s} {'runs':>5s}")
    for name, runs in results.items():
        t = table[name] = dict(
            best=min(r["wall"] for r in runs), median=statistics.median(r["wall"] for r in runs),
            cpu=statistics.median(r["cpu"] for r in runs), server=statistics.median(r["server"] for r in runs),
            rss=max(r["rss"] for r in runs) / 1e6, runs=len(runs))
        t["rows_per_cpu_second"] = rows / max(t["cpu"], 0.01)
        print(f"{name:24s} {t['best']:7.2f} {t['median']:7.2f} {t['cpu']:7.2f} {t['server']:7.2f} {t['rss']:7.0f} "
              f"{t['rows_per_cpu_second']:15,.0f} {t['runs']:5d}")
    for name, why in missing.items():
        print(f"{name:24s} does not run here: {why}")
    ratios = {}
    if "kindred" in table:
        k = table["kindred"]
        for name, t in table.items():
            if not name.startswith("kindred"):
                ratios[name] = dict(best=t["best"] / k["best"], median=t["median"] / k["median"], cpu=t["cpu"] / k["cpu"])
                r = ratios[name]
                print(f"kindred against {name}: {r['best']:.2f} times as fast (best), {r['median']:.2f} (median), "
                      f"{r['cpu']:.2f} times the rows per CPU second")
    with open(os.path.join(STATE, "etl.json"), "w") as f:
        json.dump(dict(rows=rows, customers=a.customers, products=a.products, table=table, missing=missing, ratios=ratios, runs=results), f, indent=1)


if __name__ == "__main__":
    main()
