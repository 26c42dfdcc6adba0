"""``python -m tests.simulation.hunt [--mutant NAME] [--first SEED] [--count N] [--n N] [--trace SEED]``

Simulates scenarios until one breaks a promise, and prints which; with ``--trace`` prints the transcript of
one. ``--restless`` takes the other family, of members that die again and again. Exit code 0: a violation
was found. 1: none.
"""

import argparse
import sys
import time


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mutant")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--n", type=int)
    parser.add_argument("--trace", type=int)
    parser.add_argument("--restless", action="store_true", help="members that die again and again")
    arguments = parser.parse_args()
    if arguments.mutant:
        from tests.simulation.mutants import BY_NAME, plant

        plant(BY_NAME[arguments.mutant])
    from tests.simulation.run import run_seed, transcript

    if arguments.trace is not None:
        print(transcript(arguments.trace, arguments.n, restless=arguments.restless))
        return 0
    started = time.process_time()
    for tried, seed in enumerate(range(arguments.first, arguments.first + arguments.count), start=1):
        broken = run_seed(seed, arguments.n, restless=arguments.restless)
        if broken is not None:
            print(f"{tried} scenarios; seed {seed}: {broken}")
            print(f"{time.process_time():.2f} CPU seconds")
            return 0
    spent = time.process_time() - started
    print(f"nothing in {arguments.count} scenarios, {arguments.count / spent:.0f} per CPU second")
    print(f"{time.process_time():.2f} CPU seconds")
    return 1


if __name__ == "__main__":
    sys.exit(main())
