"""Dask, distributed: two worker processes of one thread each. Keeps nothing."""

import json
import sys
import time

from distributed import Client, LocalCluster

CASE, COUNT = sys.argv[1], int(sys.argv[2])


def add_one(a: int) -> int:
    return a + 1


def run(client, count, seed):
    start = time.perf_counter()
    if CASE == "chain":
        future = client.submit(add_one, seed, pure=False)
        for _ in range(count - 1):
            future = client.submit(add_one, future, pure=False)
        future.result()
    else:
        client.gather(client.map(add_one, range(seed, seed + count), pure=False))
    return (time.perf_counter() - start) / count


if __name__ == "__main__":
    cluster = LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None)
    with cluster, Client(cluster) as client:
        run(client, 200, 0)
        print(json.dumps({"seconds": run(client, COUNT, 1), "keeps": "nothing"}))
