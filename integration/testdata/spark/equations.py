"""Fits a small table with als.py, and checks that the vectors of customers solve the equations of a regularisation by the number
of ratings plus PADDING times the mean number. arguments: the folder of als.py."""
import argparse
import random
import sys

import numpy
from pyspark.sql import SparkSession

sys.path.insert(0, sys.argv[1])
import als

ALPHA, REG, RANK = 3.0, 0.4, 4
draw = random.Random(1)
likes = {(c, int(40 * draw.random() ** 2)): draw.choice((0.5, 1.0, 2.0)) for c in range(60) for _ in range(1 + c % 9)}
spark = SparkSession.builder.getOrCreate()
table = spark.createDataFrame([(c, p, w) for (c, p), w in likes.items()], "customer int, product int, confidence float")


class Fitter(als.Fitter):
    def read(self, part):
        return table


als.NOBODYS = 50  # so that there are several nobodies
fitter = Fitter(spark, argparse.Namespace(rank=RANK, seed=1), {"url": "", "files": {}})
customers, products = ({row.id: numpy.array(row.features) for row in side.collect()}
                       for side in fitter.fit(fitter.padded("all"), 3, ALPHA, REG))
assert set(customers) == {c for c, _ in likes} and set(products) == {p for _, p in likes}, "other rows have vectors"
gram = sum(numpy.outer(v, v) for v in products.values())
more = -(-als.PADDING * len(likes) // len(customers))
for customer, vector in customers.items():
    own = {p: w for (c, p), w in likes.items() if c == customer}
    left = gram + sum(ALPHA * w * numpy.outer(products[p], products[p]) for p, w in own.items())
    left += REG * (len(own) + more) * numpy.eye(RANK)
    right = sum((1 + ALPHA * w) * products[p] for p, w in own.items())
    error = numpy.abs(left @ vector - right).max() / numpy.abs(right).max()
    assert error < 1e-4, f"customer {customer}: {error}"
print("solved")
