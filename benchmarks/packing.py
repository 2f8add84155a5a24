"""Gain from sharing a device: images per second of 1, 2, 4, … trials at once, as `--trials-per-gpu auto` measures it.

    python -m benchmarks.packing --device cuda --model resnet8      # half a minute for each number of trials

Each number of trials is measured by itself; ratios are to a single trial in the same call. Trials per hour assume
`--epochs` epochs per trial and no evaluation. On a CPU, trials share the cores.
"""

import argparse
import os

from benchmarks.report import write_report
from study.workers.gpu_sharing import SECONDS, best_number, sharing_service, try_out
from trainables.config import make_method, with_recipe
from trainables.training.loop import load_splits
from trainables.training.state import resolve_device


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="digits")
    parser.add_argument("--model", default="resnet8")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=10, help="epochs of a trial, for trials per hour")
    parser.add_argument(
        "--most", type=int, default=os.cpu_count() or 1, help="largest number of trials at once [the cores]"
    )
    parser.add_argument("--seconds", type=float, default=SECONDS, help="seconds for each number of trials")
    parser.add_argument("--device", default="auto")
    asked = parser.parse_args()
    device = resolve_device(asked.device)
    method = make_method("entprop", {"k": 0.2, "n": 1})
    chosen = {name: getattr(asked, name) for name in ("model", "precision", "batch_size")}
    config = with_recipe(method, asked.data, **chosen)
    splits = load_splits(config)
    with sharing_service(device == "cuda") as service:
        tried = try_out(config, splits, device, asked.most, asked.seconds)
    lines = ["| trials at once | images/s | trials per hour | to one alone | GB in use |", "|---|---|---|---|---|"]
    for each in tried:
        hourly = 3600 * each.images_per_s / (len(splits.train) * asked.epochs)
        ratio = each.images_per_s / tried[0].images_per_s
        lines.append(
            f"| {each.trials} | {each.images_per_s:,.0f} | {hourly:,.0f} | {ratio:.2f} | {each.gigabytes:.1f} |"
        )
    table = "\n".join(
        [*lines, "", f"Taken: {best_number(tried)}. Multi-process service: {'yes' if service else 'no'}."]
    )
    print(table)
    figures = {"settings": vars(asked), "service": service, "tried": [each._asdict() for each in tried]}
    write_report(f"packing-{device}-{asked.model}", figures, table, f"Trials that share a device: {asked.model}")


if __name__ == "__main__":
    main()
