"""Does one thing after another to a cluster, by a schedule that follows from a seed.

The schedule is made before anything happens and depends on the seed, the length and the cluster's shape only, so
that it can be printed and done again. Every few seconds a fault begins; they overlap; from time to time there is a
calm in which all clients have to come back; and the end is quiet.
"""
import dataclasses
import heapq
import itertools
import random
import time

import faults

GAP = (1.5, 4.5)        # seconds between the beginnings of two faults
CALM_EVERY = 60         # seconds from one calm to the next
CALM = 7                # seconds without any fault
QUIET_TAIL = 15         # seconds without any fault, at the end
RELAYS_REST = 4         # seconds from one relay's recovery to the next relay's trouble, where there are several
ATTEMPTS = 50           # draws for one place in the schedule
WATCH = 0.25            # seconds between two looks at whether all nodes run


@dataclasses.dataclass(frozen=True)
class Fault:
    begin: float  # seconds from the start
    end: float
    kind: faults.Kind
    targets: tuple
    arguments: tuple

    @property
    def target(self):
        return "|".join(self.targets)

    def __str__(self):
        how = " ".join(map(str, self.arguments))
        return f"{self.begin:7.2f} {self.end - self.begin:5.2f} s  {self.kind.name:11} {self.target}  {how}".rstrip()


def claims(shape, kind, targets):
    """What must not be claimed by two faults at a time: (thing, seconds that it stays claimed after the end)."""
    if kind.layer:
        for target in targets:
            yield (kind.layer, target), 0
    if len(shape.relays) > 1 and kind.cripples and set(targets) & set(shape.relays):
        yield "a relay is away", RELAYS_REST  # one replica bears the loss of one relay, not of two


def draw(shape, kinds, dice, begin, latest):
    kind = dice.choices(kinds, [kind.weight for kind in kinds])[0]
    targets = tuple(kind.targets(shape, dice))
    end = begin + dice.uniform(*kind.seconds)
    return Fault(begin, min(end, latest), kind, targets, dice.choice(kind.arguments))


def schedule(shape, seconds, seed, kinds=faults.KINDS):
    """The faults of a run, in the order of their beginnings."""
    dice = random.Random(seed)
    planned, claimed = [], {}
    now, calm = dice.uniform(*GAP), CALM_EVERY - CALM
    while now < seconds - QUIET_TAIL:
        if now >= calm:
            now, calm = calm + CALM, calm + CALM_EVERY
            continue
        latest = min(calm, seconds - QUIET_TAIL)
        for _ in range(ATTEMPTS):
            fault = draw(shape, kinds, dice, now, latest)
            needed = dict(claims(shape, fault.kind, fault.targets))
            if all(claimed.get(thing, 0) < now for thing in needed):
                claimed.update({thing: fault.end + rest for thing, rest in needed.items()})
                planned.append(fault)
                break
        now += dice.uniform(*GAP)
    return planned


def usable(cluster, kinds=faults.KINDS):
    """Tries each kind once that works on hosts alone, where nothing runs yet. Returns those that can be had here,
    and {name: why not} of the others."""
    good, bad = [], {}
    for kind in kinds:
        if kind.layer != "process":
            try:
                with kind.run(cluster, *kind.targets(cluster.shape, random.Random(0)), *kind.arguments[0]):
                    pass
            except (faults.HostError, OSError) as error:
                bad[kind.name] = str(error)
                continue
        good.append(kind)
    return good, bad


class Nemesis:
    """Carries a schedule out. `records` is a records.Writer, `tell` gets a line for people as each fault begins."""

    def __init__(self, cluster, planned, records, tell=lambda line: None):
        self.cluster, self.planned, self.records, self.tell = cluster, planned, records, tell
        self.done = []  # faults that began and were healed
        self.open = {}  # number -> (fault, its context)

    def run(self, seconds, look=lambda passed: None):
        """Blocks for so many seconds; heals what it began in any case. `look` is called several times a second."""
        start, order = time.monotonic(), itertools.count()
        agenda = [(fault.begin, next(order), self.begin, (number, fault))
                  for number, fault in enumerate(self.planned, 1)]
        agenda += [(fault.end, next(order), self.heal, (number,)) for number, fault in enumerate(self.planned, 1)]
        heapq.heapify(agenda)
        try:
            while (passed := time.monotonic() - start) < seconds:
                self.cluster.watch()
                look(passed)
                if agenda and agenda[0][0] <= passed:
                    _, _, act, arguments = heapq.heappop(agenda)
                    act(*arguments)
                else:
                    time.sleep(min(agenda[0][0] - passed if agenda else WATCH, WATCH))
        finally:
            for number in list(self.open):
                self.heal(number)

    def begin(self, number, fault):
        context = fault.kind.run(self.cluster, *fault.targets, *fault.arguments)
        self.records.write("fault", number, fault.kind.name, fault.target)
        self.records.flush()
        context.__enter__()
        self.open[number] = (fault, context)
        self.tell(f"{number:4} {fault}")

    def heal(self, number):
        fault, context = self.open.pop(number)
        context.__exit__(None, None, None)
        self.records.write("healed", number)
        self.records.flush()
        self.done.append(fault)
