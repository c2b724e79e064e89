"""Trains on Spark 3.5 with MLlib's implicit ALS: AWS Glue 5.0, EMR, or spark-submit anywhere. The Go program `train`
says what is to be fitted (train export), evaluates, judges and commits (train import); Spark only fits.

    spark-submit als.py --train s3://code/train [--rank 64] [--trials 16] [--iterations 16] [--seed 1]
                 [--lake BUCKET] [--artifacts BUCKET] [--train-flags "--repeat auto"]
"""
import argparse
import json
import math
import os
import shlex
import subprocess
import sys
import uuid

import numpy
from pyspark import SparkFiles
from pyspark.ml.recommendation import ALS
from pyspark.sql import SparkSession, functions

VERSION = 2  # part of a version's id: raise it when the same input would give other vectors
CUT = 20  # length of the lists that configurations are compared by
BLOCK_ROWS = 4_000_000  # interactions of a block; the number of blocks does not depend on the cluster
FEWEST_BLOCKS = 4
# MLlib multiplies regParam by a row's number of positive ratings, and has no term that is the same for all rows. So every row
# gets PADDING times as many more of them as the mean row has. They are too small to count otherwise, and belong to a row that
# stands for nobody and has at most about NOBODYS of them. A large negative rating of each keeps the vector of nobody at zero.
SIDES = ("customer", "product")
PADDING = 2
NO_RATING = 1e-6
NO_VECTOR = -1e9
NOBODYS = 100_000
# alpha and regParam where the search begins, and by which factors it moves: first far, then near.
START = (5.0, 0.25)
STEPS = (4.0, 2.0, 1.4, 1.2)
DIRECTIONS = ((1, 1), (-1, -1), (0, 1), (0, -1), (1, 0), (-1, 0))


def arguments():
    parser = argparse.ArgumentParser(description="train on Spark")
    parser.add_argument("--train", required=True, help="the compiled program, for Linux and the driver's processor")
    parser.add_argument("--rank", type=int, default=64, help="components of a vector")
    parser.add_argument("--trials", type=int, default=16, help="configurations that are tried on the validation part")
    parser.add_argument("--iterations", type=int, default=16, help="passes over customers and products; a trial makes half as many")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lake", help="default: the variable LAKE_BUCKET")
    parser.add_argument("--artifacts", help="default: the variable ARTIFACTS_BUCKET")
    parser.add_argument("--region", help="region of AWS; default: the variable AWS_REGION")
    parser.add_argument("--train-flags", default="", help="more flags of train export and train import")
    return parser.parse_known_args()[0]  # Glue adds arguments of its own


def say(text):
    print(f"als: {text}", file=sys.stderr, flush=True)


def train(args, *words):
    """Runs the Go program in the driver and returns the envelope of its result. The end of its standard error is the error."""
    program = SparkFiles.get(os.path.basename(args.train))
    os.chmod(program, 0o755)  # a file from S3 is not executable
    env = {"LAKE_BUCKET": args.lake, "ARTIFACTS_BUCKET": args.artifacts, "AWS_REGION": args.region}
    command = [program, *words, *shlex.split(args.train_flags), "--json"]
    done = subprocess.run(command, env={**os.environ, **{k: v for k, v in env.items() if v}}, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"train {' '.join(words)}: exit {done.returncode}: {done.stderr.strip()[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


class Fitter:
    """Fits models to the parts of an export."""

    def __init__(self, spark, args, export):
        self.spark, self.args, self.url, self.files = spark, args, export["url"], export["files"]

    def read(self, part):
        return self.spark.read.parquet(*(f"{self.url}/{file}" for file in self.files[part]))

    def padded(self, name):
        """A part with PADDING, and by side the first number that stands for nobody."""
        part = self.read(name)
        count, *sides = part.agg(functions.count("*"), *map(functions.countDistinct, SIDES), *map(functions.max, SIDES)).first()
        first = {side: last + 1 for side, last in zip(SIDES, sides[2:])}
        padded = part
        for side, other, rows in zip(SIDES, SIDES[::-1], sides):
            more = math.ceil(PADDING * count / rows)
            ratings = f"concat(array_repeat(float({NO_RATING}), {more}), array(float({NO_VECTOR})))"
            nobody = functions.lit(first[other]) + functions.col(side) % math.ceil(PADDING * count / NOBODYS)
            padded = padded.unionByName(part.select(side).distinct().select(
                side, nobody.cast("int").alias(other), functions.explode(functions.expr(ratings)).alias("confidence")))
        return padded.persist(), first

    def fit(self, padded, iterations, alpha, reg):
        """Returns the vectors of customers and products that are fitted to a part."""
        part, first = padded
        blocks = max(FEWEST_BLOCKS, part.count() // BLOCK_ROWS)
        model = ALS(rank=self.args.rank, maxIter=iterations, regParam=reg, alpha=alpha, implicitPrefs=True, seed=self.args.seed,
                    numUserBlocks=blocks, numItemBlocks=blocks, userCol="customer", itemCol="product", ratingCol="confidence").fit(part)
        return (model.userFactors.filter(model.userFactors.id < first["customer"]),
                model.itemFactors.filter(model.itemFactors.id < first["product"]))

    def tune(self):
        """Returns the alpha and regParam that rank the validation part best, of args.trials tried."""
        questions = Questions(self.read("questions").collect())
        if not questions.customers:
            return START
        part = self.padded("validation")
        count = 0

        def quality(alpha, reg):
            nonlocal count
            count += 1
            q = questions.quality(*self.fit(part, max(1, self.args.iterations // 2), alpha, reg))
            say(f"trial {count} of {self.args.trials}: alpha {alpha:.4g}, regParam {reg:.4g}: quality {q:.4f}")
            return q

        best = search(quality, self.args.trials)
        part[0].unpersist()
        return best

    def run(self, attempt):
        """Tunes, writes the vectors of every part, and says with which configuration."""
        alpha, reg = self.tune()
        for name in sorted(set(self.files) - {"questions"}):
            say(f"fit {name}")
            part = self.padded(name)
            _, products = self.fit(part, self.args.iterations, alpha, reg)
            products.write.mode("overwrite").parquet(f"{self.url}/attempt={attempt}/{name}/products")
            part[0].unpersist()
        return f"alpha {alpha:.4g}, regParam {reg:.4g}"


def search(quality, trials):
    """Returns the (alpha, regParam) of the highest quality that was found in so many trials: from START along DIRECTIONS,
    for as long as it gets better, by smaller and smaller STEPS."""
    tried = {START: quality(*START)}
    best = START
    for step in STEPS:
        moved = True
        while moved:
            moved = False
            for direction in DIRECTIONS:
                while True:
                    at = tuple(float(f"{x * step ** d:.4g}") for x, d in zip(best, direction))
                    if at in tried:
                        break
                    if len(tried) >= trials:
                        return best
                    tried[at] = quality(*at)
                    if tried[at] <= tried[best]:
                        break
                    best, moved = at, True
    return best


class Questions:
    """Products that a model should rank high, by customer, with those that are masked: as package evaluation of kindred asks."""

    def __init__(self, rows):
        wanted, masked = {}, {}
        for row in rows:
            (wanted if row.wanted else masked).setdefault(row.customer, set()).add(row.product)
        self.customers = sorted(wanted)
        self.wanted = [wanted[c] for c in self.customers]
        self.masked = [numpy.array(sorted(masked.get(c, ())), dtype=numpy.int64) for c in self.customers]

    def quality(self, customers, products):
        """The mean of NDCG@20 and Recall@20 over the customers, by the vectors of customers and products."""
        vectors = {row.id: row.features for row in customers.filter(customers.id.isin(self.customers)).collect()}
        none = numpy.zeros(len(products.first().features))
        own = numpy.array([vectors.get(c, none) for c in self.customers], dtype=numpy.float32)
        shared = products.rdd.context.broadcast((own, self.masked))

        def best(rows):
            """The best products of each customer in one block of products: (customer, [(-score, product)])."""
            rows = list(rows)
            if not rows:
                return
            ids = numpy.array([row.id for row in rows])
            order = numpy.argsort(ids)
            ids, vectors = ids[order], numpy.array([row.features for row in rows], dtype=numpy.float32)[order]
            own, masked = shared.value
            for customer, vector in enumerate(own):
                scores = -(vectors @ vector)
                scores[numpy.searchsorted(ids, numpy.intersect1d(ids, masked[customer]))] = numpy.inf
                top = numpy.argsort(scores, kind="stable")[:CUT] if len(ids) <= CUT else numpy.argpartition(scores, CUT)[:CUT]
                yield customer, [(float(scores[i]), int(ids[i])) for i in top]

        lists = products.rdd.mapPartitions(best).reduceByKey(lambda a, b: sorted(a + b)[:CUT]).collectAsMap()
        shared.unpersist()
        return sum(figure([p for s, p in sorted(lists[i]) if s < numpy.inf], w) for i, w in enumerate(self.wanted)) / len(self.wanted)


def figure(ranked, wanted):
    """The mean of NDCG@20 and Recall@20 of one list."""
    discounts = [1 / numpy.log2(place + 2) for place in range(CUT)]
    hits = [place for place, product in enumerate(ranked[:CUT]) if product in wanted]
    ndcg = sum(discounts[place] for place in hits) / sum(discounts[:min(CUT, len(wanted))])
    return (ndcg + len(hits) / len(wanted)) / 2


def main():
    args = arguments()
    spark = SparkSession.builder.appName("kindred-train").getOrCreate()
    spark.sparkContext.addFile(args.train)
    method = (f"Spark MLlib's implicit ALS ({VERSION}): dimension {args.rank}, {args.iterations} iterations, "
              f"the best of {args.trials} trials, seed {args.seed}")
    exported = train(args, "export", "--method", method, "--dim", str(args.rank))
    export = exported["result"]
    if "url" not in export:  # a version became current, and nothing is to be fitted
        print(json.dumps(exported))
        return
    attempt, name = export.get("attempt"), method
    if not attempt:
        attempt = uuid.uuid4().hex[:12]
        spark.sparkContext.setCheckpointDir(f"{export['url']}/attempt={attempt}/checkpoints")
        name += f": {Fitter(spark, args, export).run(attempt)}"
    print(json.dumps(train(args, "import", "--export", export["model_version"], "--attempt", attempt, "--name", name)))


if __name__ == "__main__":
    main()
