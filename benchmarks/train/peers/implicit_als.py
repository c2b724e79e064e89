"""Trains implicit's ALS (conjugate gradients) and prints seconds of each epoch as JSON: implicit_als.py FILE DIM EPOCHS THREADS"""
import json
import os
import sys
import time

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # what implicit itself asks for: it runs its own threads
import numpy as np
import scipy.sparse as sp
from implicit.cpu.als import AlternatingLeastSquares

path, dim, epochs, threads = sys.argv[1], *map(int, sys.argv[2:5])
users, items = [], []
for line in open(path):
    user, *rest = map(int, line.split())
    users += [user] * len(rest)
    items += rest
m = sp.csr_matrix((np.ones(len(users), np.float32), (users, items)))
# Confidence 10 against 1 for what was not seen: alpha0 = 0.1 in kindred's terms.
als = AlternatingLeastSquares(factors=dim, alpha=10.0, regularization=0.1, iterations=epochs + 1, num_threads=threads, random_state=1)
out = {"wall_seconds": [], "cpu_seconds": []}
last = [time.perf_counter(), time.process_time()]


def epoch(*_):
    now = [time.perf_counter(), time.process_time()]
    out["wall_seconds"].append(now[0] - last[0])
    out["cpu_seconds"].append(now[1] - last[1])
    last[:] = now


als.fit(m, show_progress=False, callback=epoch)
out["cpu_seconds"], out["wall_seconds"] = out["cpu_seconds"][1:], out["wall_seconds"][1:]  # the first holds the preparation
print(json.dumps(out))
