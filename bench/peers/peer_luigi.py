"""Luigi with its local scheduler in one process; a task is done when its output file is there. Never syncs."""

import json
import logging
import os
import sys
import tempfile
import time

import luigi

CASE, COUNT = sys.argv[1], int(sys.argv[2])
logging.disable(logging.CRITICAL)
sys.setrecursionlimit(10 * COUNT + 10_000)


class Step(luigi.Task):
    folder = luigi.Parameter()
    nth = luigi.IntParameter()
    chained = luigi.BoolParameter()

    def requires(self):
        return [Step(self.folder, self.nth - 1, self.chained)] if self.chained and self.nth else []

    def output(self):
        return luigi.LocalTarget(os.path.join(self.folder, str(self.nth)))

    def run(self):
        with self.output().open("w") as file:
            file.write(str(self.nth))


def run(count):
    with tempfile.TemporaryDirectory() as folder:
        tasks = [Step(folder, count - 1, True)] if CASE == "chain" else [Step(folder, i, False) for i in range(count)]
        start = time.perf_counter()
        assert luigi.build(tasks, local_scheduler=True, workers=1, no_lock=True)
        return (time.perf_counter() - start) / count


run(50)
print(json.dumps({"seconds": run(COUNT), "keeps": "output files, never synced"}))
