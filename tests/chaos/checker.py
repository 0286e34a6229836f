#!/usr/bin/python3
"""Checks the records of a run (records.py) for the invariants I1 to I10, I12, I13 and I15.

    tests/chaos/checker.py FOLDER

Prints counts and, for each invariant that doesn't hold, the lines that show it. Exit code 0: all hold; 1: some don't;
2: the records are broken, so that nothing can be said.

Two passes, neither of which holds deliveries in memory: 1 publications, faults and snapshots (recording.py), 2 what
sessions saw (sessions.py); then come the verdicts that need both.
"""
import pathlib
import sys

import records
from accounts import judge_metrics
from findings import Findings
from recording import Recording
from sessions import Sessions
from streams import Streams
from verdicts import judge


def check(folder):
    """The findings of a run; records.Broken if its records are."""
    files = records.files(pathlib.Path(folder))
    findings = Findings(files)
    streams = Streams(findings)
    recording = Recording(files, streams, findings)
    sessions = Sessions(recording, streams, findings)
    judge(recording, streams, sessions, findings)
    judge_metrics(recording, sessions, findings)
    return findings


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        findings = check(sys.argv[1])
    except (records.Broken, OSError) as error:
        print(f"nothing can be said: {error}")
        return 2
    print("\n".join(findings.report()))
    return 1 if findings.broken else 0


if __name__ == "__main__":
    sys.exit(main())
