"""Reads Parquet files with a reader that knows nothing of kindred and prints each row as a JSON array of texts, null for NULL.

    read.py duckdb|pyarrow|spark FILE...
"""
import datetime
import json
import sys


def duckdb(files):
    import duckdb
    return duckdb.execute("SELECT * FROM read_parquet(?, hive_partitioning = false)", [files]).fetchall()


def pyarrow(files):
    import pyarrow.parquet
    return [row.values() for file in files for row in pyarrow.parquet.read_table(file, partitioning=None).to_pylist()]


def spark(files):
    from pyspark.sql import SparkSession
    return SparkSession.builder.getOrCreate().read.parquet(*files).collect()


def text(value):
    if value is None:
        return None
    if isinstance(value, datetime.datetime):
        assert value.tzinfo is None, "a DATETIME has no zone"
        return value.isoformat(sep=" ")
    return str(value)


for row in globals()[sys.argv[1]](sys.argv[2:]):
    print(json.dumps([text(value) for value in row]))
