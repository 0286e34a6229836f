"""I15, and what of I10 and I12 the metrics show: what the nodes count is what the recorders saw.

A node that was killed takes its counters with it. So the counts of a run are exact only if every process was started
once and there were no faults; under faults they are bounds.
"""
import collections

from records import Broken

AT_REST = ("heddle_client_connections", "heddle_client_subscriptions", "heddle_client_outbox_bytes")


def sum_of(values, name):
    return sum(value for key, value in values.items() if key == name or key.startswith(name + "{"))


def has(values, name):
    return any(key == name or key.startswith(name + "{") for key in values)


def latest(recording, moments):
    """Process -> its last snapshot that was taken in one of these moments."""
    found = {}
    for snapshot in recording.metrics:
        if snapshot.moment in moments and (snapshot.process not in found or
                                           found[snapshot.process].at <= snapshot.at):
            found[snapshot.process] = snapshot
    return found


Account = collections.namedtuple("Account", "metric what low high")


def accounts(recording, counts):
    """What the metrics' sums have to lie between. None: no bound."""
    is_healthy = not recording.faults
    acknowledged, unknown = counts["acknowledged"], counts["unknown"]
    by_clients = counts["published by centrifuge"]
    refusals = counts["refusals"]
    yield Account('heddle_relay_publications_total{result="accepted"}', "publications", acknowledged,
                  acknowledged + unknown if is_healthy else None)
    yield Account("heddle_client_publications_total", "publications of clients",
                  by_clients if is_healthy else None, by_clients)
    yield Account("heddle_client_unrecovered_total", "refusals", refusals, refusals if is_healthy else None)
    yield Account("heddle_client_accepted_total", "connections", counts["connections"],
                  counts["connections"] if is_healthy else None)


def gauges(sessions, at):
    """What they have to be when all is quiet."""
    here = [one for one in sessions.subscribers.values() if one.client is not None and (one.left or at) >= at]
    yield Account("heddle_client_connections", "connections", len(here), len(here))
    subscriptions = sum(len(one.subscriptions) for one in here)
    yield Account("heddle_client_subscriptions", "subscriptions", subscriptions, subscriptions)


def judge_metrics(recording, sessions, findings):
    judge_memory(recording, findings)
    judge_rest(recording, findings)
    quiet = latest(recording, ("quiet",)).values()
    if quiet:
        compare(gauges(sessions, max(one.at for one in quiet)), quiet, False, findings)
    ends = latest(recording, ("quiet", "rest"))
    if not ends:
        return
    findings.counts["metrics compared"] = len(ends)
    for snapshot in ends.values():
        if snapshot.process not in recording.starts:
            raise Broken(f"metrics of {snapshot.process}, and no record of its start")
    was_restarted = any(count > 1 for count in recording.starts.values())
    compare(accounts(recording, findings.counts), ends.values(), was_restarted, findings)


def compare(expected, ends, was_restarted, findings):
    """Sums over the processes that have the metric; one that was restarted has forgotten some."""
    for account in expected:
        snapshots = [one for one in ends if has(one.values, account.metric)]
        if not snapshots:
            continue
        value = sum(sum_of(one.values, account.metric) for one in snapshots)
        is_low = account.low is not None and value < account.low and not was_restarted
        is_high = account.high is not None and value > account.high
        if is_low or is_high:
            findings.add("I15", f"{account.metric} is {value:g}; of {account.what} the recorders saw from "
                         f"{account.low} to {account.high}", *(one.place for one in snapshots))


def judge_memory(recording, findings):
    limit = recording.settings["max_rss"]
    for snapshot in recording.metrics:
        rss = sum_of(snapshot.values, "process_resident_memory_bytes")
        if limit is not None and rss > limit:
            findings.add("I10", f"{snapshot.process} has {rss:,.0f} bytes, {limit:,} are allowed", snapshot.place)


def judge_rest(recording, findings):
    for snapshot in latest(recording, ("rest",)).values():
        for name in AT_REST:
            value = sum_of(snapshot.values, name)
            if value:
                findings.add("I12", f"{snapshot.process}: {name} is {value:g} when all have gone", snapshot.place)
