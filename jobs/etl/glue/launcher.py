"""Runs etl on Spark 3.5: AWS Glue 5.0, or spark-submit anywhere. Spark spreads the partitions and repeats failed ones;
the Go program reads, writes and commits. Nothing is current before the one commit at the end, in the driver.

A shop of orders and clicks (a mapping with interactions, or a preset) is read whole by one process, in the driver.

    spark-submit launcher.py --etl s3://code/etl --partitions 16 [--mapping s3://code/shop.sql | --preset auto [--store ID …]]
                 [--job NAME] [--name SHOP] [--lake BUCKET] [--region REGION] [--mysql-secret NAME [--mysql-address host:port/database --mysql-ca s3://code/ca.pem]]
                 [--erase-secret NAME] [--commit-flags "--max-spread 2h"]
"""
import argparse
import datetime
import json
import os
import re
import shlex
import subprocess
import uuid

from pyspark import SparkFiles
from pyspark.sql import SparkSession


# What names a machine's credentials, or where it fetches them.
STATIC = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
FETCHED = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN",
           "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_PROFILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE")
PRESET = ("preset", "prefix", "store", "language", "currency", "paid", "live-version")
INTERACTIONS = re.compile(r"^\s*-- kindred:\s*interactions\s*$", re.MULTILINE)


def arguments():
    parser = argparse.ArgumentParser(description="Run etl on Spark, one partition per task.")
    parser.add_argument("--etl", required=True, help="the compiled program, for Linux and the workers' processor")
    parser.add_argument("--partitions", type=int, required=True, help="number of partitions, each of which is one Spark task")
    parser.add_argument("--job", default=f"etl-{datetime.datetime.utcnow():%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}")
    parser.add_argument("--mapping", help="mapping file: SQL queries that read a shop with other tables")
    for variable in PRESET:
        parser.add_argument(f"--{variable}", help=f"etl's flag --{variable}")
    parser.add_argument("--name", help="the shop's name; default: that of its database")
    parser.add_argument("--lake", help="default: the variable LAKE_BUCKET")
    parser.add_argument("--region", help="region of AWS; default: the variable AWS_REGION")
    parser.add_argument("--mysql-secret", help="Secrets Manager secret: either {username, password}, or a complete DSN; default: the variable MYSQL_DSN holds the DSN")
    parser.add_argument("--mysql-address", help="host:port/database of the server that the username is for; its certificate is verified")
    parser.add_argument("--mysql-ca", help="PEM file that the server's certificate is verified with, such as RDS's global-bundle.pem")
    parser.add_argument("--erase-secret", help="Secrets Manager secret of the list of erased persons; default: the variable ERASE_SECRET holds it")
    parser.add_argument("--commit-flags", default="", help="more flags of etl commit-parts")
    return parser.parse_known_args()[0]  # Glue adds arguments of its own


def environment(args):
    """What the program needs on every machine. It travels with the tasks. What fetches the driver's credentials
    stays behind: each machine fetches its own."""
    env = {k: v for k, v in os.environ.items() if k in ("MYSQL_DSN", "LAKE_BUCKET", "ERASE_SECRET") or k.startswith("AWS_") and k not in FETCHED}
    if args.region:
        env["AWS_REGION"] = args.region
    if args.name:
        env["SHOP_NAME"] = args.name
    if args.lake:
        env["LAKE_BUCKET"] = args.lake
    if args.mysql_secret:
        env["MYSQL_SECRET_ARN"] = args.mysql_secret  # each task reads the secret itself
    if args.erase_secret:
        env["ERASE_SECRET_ARN"] = args.erase_secret
    if args.mysql_address:
        server, _, database = args.mysql_address.partition("/")
        env["MYSQL_DSN"] = f"tcp({server})/{database}?tls=true"
    return env


def on_this_machine(env):
    """The program's environment here: env, but with this machine's credentials wherever it has some."""
    if any(k in os.environ for k in STATIC + FETCHED):
        env = {k: v for k, v in env.items() if k not in STATIC}
    return {**os.environ, **env}


def etl(name, env, *flags):
    """Runs the program and returns the envelope of its result. The end of its standard error is the error."""
    program = SparkFiles.get(name)
    os.chmod(program, 0o755)  # a file from S3 is not executable
    certificates = {"SSL_CERT_DIR": os.path.dirname(program)}  # where --mysql-ca is too; the system's own stay in force
    done = subprocess.run([program, *flags, "--json"], env={**on_this_machine(env), **certificates}, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"etl {' '.join(flags)}: exit {done.returncode}: {done.stderr.strip()[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def main():
    args = arguments()
    sc = SparkSession.builder.appName("kindred-etl").getOrCreate().sparkContext
    env, name, job, partitions = environment(args), os.path.basename(args.etl), args.job, args.partitions
    sc.addFile(args.etl)  # to every machine; --extra-files would reach the driver alone
    mapping = os.path.basename(args.mapping) if args.mapping else None
    for file in filter(None, (args.mapping, args.mysql_ca)):
        sc.addFile(file)

    given = [(f"--{v}", getattr(args, v.replace("-", "_"))) for v in PRESET]
    preset = [word for flag, value in given if value is not None for word in (flag, value)]

    def read_flags():
        return ["--mapping", SparkFiles.get(mapping)] if mapping else preset

    if args.preset or mapping and INTERACTIONS.search(open(SparkFiles.get(mapping), encoding="utf-8").read()):
        print(json.dumps(etl(name, env, *read_flags())))
        return
    etl(name, env, "plan", "--job", job, "--partitions", str(partitions), *read_flags())
    parts = sc.parallelize(range(partitions), partitions).map(
        lambda i: etl(name, env, "--job", job, "--partition", f"{i}/{partitions}", *read_flags())).collect()
    committed = etl(name, env, "commit-parts", "--job", job, *shlex.split(args.commit_flags))
    committed["result"] |= {"job": job, "parts": [
        {k: p["result"][k] for k in ("partition", "rows", "bytes", "wall_seconds")} | {"no_op": p["no_op"]} for p in parts]}
    print(json.dumps(committed))


if __name__ == "__main__":
    main()
