"""Trains attackers on features, and draws what they found.

    python3 -m learn TASKS.json RESULTS.json

TASKS.json: {"flows": [...], "rules": [...], "pictures": FOLDER or null}; see flows.py and rules.py. RESULTS.json: the same
lists with figures instead of features. Nothing here knows where features come from.
"""

import json
import multiprocessing
import sys

from . import flows, pictures, rules


def main():
    tasks_file, results_file = sys.argv[1:]
    with open(tasks_file, encoding="utf-8") as file:
        tasks = json.load(file)
    # One process a core: small forests do not gain from threads.
    with multiprocessing.Pool() as pool:
        judged = pool.map(flows.judge, tasks["flows"], chunksize=1)
    results = {
        "flows": judged,
        "rules": [rules.mine(task) for task in tasks["rules"]],
    }
    if tasks["pictures"] is not None:
        pictures.draw(results, tasks["pictures"])
    for result in results["flows"]:
        del result["curve"]
    with open(results_file, "w", encoding="utf-8") as file:
        json.dump(results, file)


main()
