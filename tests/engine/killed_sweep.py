"""A sweep of the small lake that keeps what it counts and waits after some groups: `LAKE ADDRESS GROUPS`."""

from __future__ import annotations

import sys
import time

from evaluation_lake import CONFIG, SERVING, experiment

from vp_engine.evaluation import evaluate, expand
from vp_engine.lake import Lake, list_datasets, open_dataset
from vp_engine.lake.parts import SweepParts


def main() -> None:
    root, address, groups = sys.argv[1], sys.argv[2], int(sys.argv[3])
    lake = Lake(root)
    trials = expand(experiment(), SERVING, CONFIG)
    kept = SweepParts(lake, address, every_s=0.0)

    def wait(done: int, total: int) -> None:
        if done >= groups * 4:  # four trials share their signal's values
            print(done, flush=True)
            time.sleep(60)

    dataset = open_dataset(lake, list_datasets(lake)[0].dataset_id)
    evaluate(dataset, trials, wait, sweep_address=address, experiment=experiment(), serving=SERVING, kept=kept)


if __name__ == "__main__":
    main()
