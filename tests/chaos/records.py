"""What is written down during a run under faults, and how it is read.

A run is a folder of files NAME.jsonl. Each process that records has a file of its own and only appends to it; one
line is one record, a JSON array

    [KIND, TIME, field, ...]

KINDS below names the fields of each kind, in their order. TIME is CLOCK_MONOTONIC in microseconds: one clock for all
processes of a host, also across network namespaces, and never set. Within a file it doesn't go back.

The first line is `begin`, the last one is `end` with the number of lines above it: a file without it, or with fewer
lines, is of a recorder that died, and a run with such a file proves nothing. Whoever kills a recorder on purpose
leaves its file out.

    begin        format, who                format is FORMAT; who: "load", "nemesis", "snapshots", ...
    end          lines

The run itself, written once, by whoever starts it:

    run          settings                   an object, see SETTINGS
    process      process, pid, start        a node under test has started; start counts the process's starts from 1
                                            on. Needed for each process of which there are metrics

Faults. `number` ties the two ends together; what can't be healed (kill -9) is healed once the process runs again
and says that it listens.

    fault        number, kind, target       a kind is a word as "kill", "pause", "partition", "delay"; the target is a
                                            process or "A|B", for reading and for SETTINGS.epoch_ends_on
    healed       number

Publications. An id is unique over the whole run, and the payload holds it. `hash` is CRC-32 of the payload's bytes.

    invoke       id, channel, hash, via     right before it is sent; via: "centrifuge" or "api"
    ok           id, epoch, offset          acknowledged. "" and 0 where the answer tells no position (centrifuge)
    fail         id, code                   refused for certain: it must never be seen
    unknown      id, code                   no answer, or one that leaves it open

Subscribers. One is a client with one name for the whole run, whatever it is connected to: it listens to its channels,
keeps its positions and goes on from them. Publishers' connections are recorded likewise, without subscriptions.

    connect      subscriber, edge           an attempt
    connected    subscriber, client         the id that the edge gave it, as presence shows it; "" for raw
    subscribed   subscriber, channel, epoch, offset, recovered, recovering
                                            `recovering`: it asked to go on from its position. The offset is the one
                                            behind which the next publication stands: its own if `recovered`
    pub          subscriber, channel, epoch, offset, id, hash
    refused      subscriber, channel, code  its position can't be had (112, raw 3010), or missed messages are gone; it
                                            comes back without one
    unsubscribed subscriber, channel, code  told by the edge (2500, ...) or by its own wish (0)
    disconnected subscriber, code
    leave        subscriber                 by its own wish; nothing is expected of it any more

Snapshots, taken through any edge's API or admin port:

    history      channel, epoch, offset, publications   all that is kept, after healing: [[offset, id, hash], ...]
    presence     channel, members           [[client, user], ...]; the load's users are the subscribers' names
    metrics      process, moment, values    {"name{labels}": value}; moment: "during" (the load runs), "quiet" (nobody
                                            publishes, all sessions are on), "rest" (all clients are gone)

The order of records in time is that of the recorder's own events. What an edge knew before that, it may tell after.
"""
import json
import time

FORMAT = 1

KINDS = {
    "begin": "format who",
    "end": "lines",
    "run": "settings",
    "process": "process pid start",
    "fault": "number kind target",
    "healed": "number",
    "invoke": "id channel hash via",
    "ok": "id epoch offset",
    "fail": "id code",
    "unknown": "id code",
    "connect": "subscriber edge",
    "connected": "subscriber client",
    "subscribed": "subscriber channel epoch offset recovered recovering",
    "pub": "subscriber channel epoch offset id hash",
    "refused": "subscriber channel code",
    "unsubscribed": "subscriber channel code",
    "disconnected": "subscriber code",
    "leave": "subscriber",
    "history": "channel epoch offset publications",
    "presence": "channel members",
    "metrics": "process moment values",
}

# Those of subscribers: nearly all of a run.
SESSION_KINDS = frozenset("connect connected subscribed pub refused unsubscribed disconnected leave".split())

# How many items a line of each kind has, with the kind and the time.
LENGTHS = {kind: 2 + len(fields.split()) for kind, fields in KINDS.items()}

# Name of a setting -> what it is if `run` says nothing else. Times are in seconds.
SETTINGS = {
    "seed": 0,
    "history_size": 32,       # of the namespace that is used
    "history_ttl": 30,
    "recover_limit": 300,     # more than that isn't recovered at once
    "epoch_ends_on": None,    # kinds of faults ("kill"), or "kind target-prefix" ("kill relay"), that may end epochs;
                              # None: any may, []: none
    "linger": 15,             # so long a fault may be felt behind its end
    "back_within": 5,         # behind the last fault: all sessions are back, all publications succeed
    "settled_within": 30,     # behind the last fault: nothing differs any more from a run without faults
    "presence_grace": 15,     # presence may be behind by so much, after an edge's end
    "max_rss": None,          # bytes, of each process
}

SECOND = 1_000_000


def now():
    return time.monotonic_ns() // 1000


class Writer:
    """Appends to one file, in batches: what is written is there after flush() or close()."""

    BATCH = 1024

    def __init__(self, path, who):
        self.file = open(path, "x", encoding="utf-8")
        self.lines = 0
        self.pending = []
        self.write("begin", FORMAT, who)

    def write(self, kind, *fields):
        assert len(fields) + 2 == LENGTHS[kind], (kind, fields)
        self.pending.append(json.dumps([kind, now(), *fields], separators=(",", ":"), ensure_ascii=False))
        if len(self.pending) >= self.BATCH:
            self.flush()

    def flush(self):
        self.lines += len(self.pending)
        if self.pending:
            self.file.write("\n".join(self.pending) + "\n")
            self.file.flush()
        self.pending.clear()

    def close(self):
        self.flush()
        self.write("end", self.lines)
        self.flush()
        self.file.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Broken(Exception):
    """A file that is no complete recording: nothing can be concluded from it."""


def files(folder):
    found = sorted(folder.glob("*.jsonl"))
    if not found:
        raise Broken(f"{folder}: no records")
    return found


def read(path, only=frozenset(KINDS)):
    """Yields (line number, record) of one file, in order. Lines of kinds that aren't in `only` are counted and passed
    over, unread: most of a run are `pub`."""
    wanted = {*only, "begin", "end"}
    passed = set(KINDS) - wanted
    last, count, ended = 0, 0, False
    with open(path, encoding="utf-8") as file:
        for count, line in enumerate(file, 1):
            if ended:
                raise Broken(f"{path}:{count}: behind the end")
            if line[2:line.find('"', 2)] in passed:
                continue
            record = parse(path, count, line)
            if record[1] < last:
                raise Broken(f"{path}:{count}: the time goes back by {last - record[1]} us")
            last = record[1]
            if count == 1 and record[:1] + record[2:3] != ["begin", FORMAT]:
                raise Broken(f"{path}: does not begin as format {FORMAT} does")
            if record[0] == "end":
                ended = True
                if record[2] != count - 1:
                    raise Broken(f"{path}: {record[2]} lines were written, {count - 1} are there")
            yield count, record
    if not ended:
        raise Broken(f"{path}: torn behind line {count}: its recorder did not end in order")


def parse(path, number, line):
    try:
        record = json.loads(line)
        if line.endswith("\n") and LENGTHS[record[0]] == len(record) and type(record[1]) is int:
            return record
    except (ValueError, KeyError, TypeError, IndexError):
        pass
    raise Broken(f"{path}:{number}: no record: {line[:100]!r}")
