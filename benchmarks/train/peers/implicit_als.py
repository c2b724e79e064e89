"""Trains implicit's ALS (conjugate gradients) and prints seconds of each epoch as JSON."""
import argparse
import json
import os
import time

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # what implicit itself asks for: it runs its own threads
import numpy as np
import scipy.sparse as sp
from implicit.cpu.als import AlternatingLeastSquares

a = argparse.ArgumentParser(description=__doc__)
a.add_argument("file")
a.add_argument("dim", type=int)
a.add_argument("epochs", type=int)
a.add_argument("threads", type=int)
# Confidence 10 against 1 for what was not seen: alpha0 = 0.1 in kindred's terms.
a.add_argument("--alpha", type=float, default=10.0)
a.add_argument("--regularization", type=float, default=0.1)
a.add_argument("--users", type=int, help="as many rows, also where the last have no items")
a.add_argument("--items", type=int)
a.add_argument("--factors", help="file for users' then items' vectors, float32")
a = a.parse_args()
users, items = [], []
for line in open(a.file):
    user, *rest = map(int, line.split())
    users += [user] * len(rest)
    items += rest
m = sp.csr_matrix((np.ones(len(users), np.float32), (users, items)),
                  shape=(a.users or max(users) + 1, a.items or max(items) + 1))
als = AlternatingLeastSquares(factors=a.dim, alpha=a.alpha, regularization=a.regularization, iterations=a.epochs, num_threads=a.threads, random_state=1)
out = {"wall_seconds": [], "cpu_seconds": []}
last = [time.perf_counter(), time.process_time()]


def epoch(*_):
    now = [time.perf_counter(), time.process_time()]
    out["wall_seconds"].append(now[0] - last[0])
    out["cpu_seconds"].append(now[1] - last[1])
    last[:] = now


als.fit(m, show_progress=False, callback=epoch)
if a.factors:
    np.concatenate([als.user_factors.ravel(), als.item_factors.ravel()]).astype("<f4").tofile(a.factors)
print(json.dumps(out))
