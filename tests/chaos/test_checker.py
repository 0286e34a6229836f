"""The checker finds what is planted, calls it by its name, and finds nothing in runs that are right."""
import collections
import json
import pathlib
import subprocess
import sys

import pytest

import records
from checker import check
from generated import Run
from plants import PLANTS, Nowhere, changes_of_epoch, count, count_refusals, insert, is_relay_down, record

CHECKER = pathlib.Path(__file__).with_name("checker.py")
PLACES = 5  # in which each defect is planted


def found_in(run, folder):
    folder.mkdir()
    run.write(folder)
    return check(folder)


@pytest.mark.parametrize("seed", range(40))
def test_a_correct_run_is_never_flagged(seed, tmp_path):
    findings = found_in(Run(seed, faults=seed % 4 != 0), tmp_path / "run")
    assert not findings.broken, "\n".join(findings.report())


def test_correct_runs_have_all_that_can_be_judged(tmp_path):
    """Else the tests above would pass without a word about recovery."""
    total = sum((found_in(Run(seed), tmp_path / str(seed)).counts for seed in range(10)), start=collections.Counter())
    for count in ("recovered", "refusals justified by epoch", "refusals justified by size", "refusals justified by ttl",
                  "unknown", "refused for certain", "acknowledged and unseen", "presence snapshots"):
        assert total[count] > 0, (count, total)


def refuse_twice(run, index):
    """A raw subscriber that is refused comes back at an edge which hasn't heard of the new epoch yet, and is told the
    old one's end; and then the edge hears."""
    name, channel = record(run, index)[2:4]
    old, offset = next(one[4:6] for _, one in reversed(run.records[:index])
                       if one[0] in ("subscribed", "pub") and one[2] == name)
    for one in (["connected", name, ""], ["connect", name, "edge-1"], ["disconnected", name, 3010],
                ["refused", name, channel, 3010], ["subscribed", name, channel, old, offset - 1, False, False]):
        insert(run, index - 1, *one)
    count_refusals(run, 1)
    count(run, "edge-1", "heddle_client_accepted_total", 1)


def test_an_edge_that_has_not_heard_of_the_new_epoch_is_no_defect(tmp_path):
    found = 0
    for seed in range(40):
        run = Run(seed)
        for index in list(changes_of_epoch(run)):
            is_raw = record(run, index - 4)[0] == "refused"
            if is_raw and is_relay_down(run, index):
                refuse_twice(run, index)
                findings = found_in(run, tmp_path / str(seed))
                assert not findings.broken, "\n".join(findings.report())
                found += 1
                break
        if found == PLACES:
            return
    raise AssertionError(f"only {found} runs have a place for it")


@pytest.mark.parametrize("plant", PLANTS, ids=str)
def test_finds(plant, tmp_path):
    places = 0
    for seed in range(100, 160):
        run = Run(seed, faults=plant.faults)
        try:
            plant.apply(run)
        except Nowhere:
            continue
        findings = found_in(run, tmp_path / str(seed))
        assert findings.broken == plant.broken, f"seed {seed}:\n" + "\n".join(findings.report())
        places += 1
        if places == PLACES:
            return
    raise AssertionError(f"only {places} runs have a place for it")


def test_every_invariant_is_broken_by_some_plant():
    from findings import INVARIANTS
    assert set().union(*(plant.broken for plant in PLANTS)) == set(INVARIANTS)


# --- as a command ---

def run_checker(folder):
    return subprocess.run([sys.executable, CHECKER, folder], capture_output=True, text=True, timeout=60)


def test_says_that_all_is_well(tmp_path):
    Run(1).write(tmp_path)
    done = run_checker(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "BROKEN" not in done.stdout


def test_shows_the_lines_that_prove_it(tmp_path):
    run = Run(1)
    wrong = run.records[run.of("pub")[50]][1]
    wrong[7] ^= 1
    run.write(tmp_path)
    done = run_checker(tmp_path)
    assert done.returncode == 1
    assert json.dumps(wrong) in done.stdout
    assert "load.jsonl:" in done.stdout


@pytest.mark.parametrize("name, harm", [
    ("a torn line", lambda text: text[:-20]),
    ("no end", lambda text: "".join(text.splitlines(True)[:-1])),
    ("a line too few", lambda text: "".join(text.splitlines(True)[:5] + text.splitlines(True)[6:])),
    ("a time that goes back", lambda text: text.replace(text.splitlines()[9], text.splitlines()[1])),
    ("another format", lambda text: text.replace(f", {records.FORMAT}, ", ", 99, ", 1)),
    ("a kind that nobody knows", lambda text: text.replace('["pub"', '["pbu"', 1)),
    ("nothing", lambda text: ""),
])
def test_says_nothing_about_broken_records(name, harm, tmp_path):
    Run(1).write(tmp_path)
    file = tmp_path / "load.jsonl"
    file.write_text(harm(file.read_text()))
    done = run_checker(tmp_path)
    assert done.returncode == 2, (name, done.stdout)
    assert "nothing can be said" in done.stdout
    assert "Traceback" not in done.stderr
