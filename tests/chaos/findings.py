"""What a check found: violations with their evidence, and counts.

A place is one integer for a file and a line in it, so that millions can be remembered; the lines themselves are
fetched when a report is made.
"""
import collections

INVARIANTS = {
    "I1": "integrity: everything seen was published, to that channel, with that payload",
    "I2": "uniqueness: one publication at a position, one position for a publication",
    "I3": "density: an epoch has no holes",
    "I4": "order: a session sees each position behind the one before",
    "I5": "recovery: all or nothing, told first, refused only for a cause",
    "I6": "no silent loss of what was acknowledged",
    "I7": "what was refused for certain is never seen",
    "I8": "real time: who publishes later stands later, and no top goes back",
    "I9": "an epoch that has ended doesn't come back",
    "I10": "memory is bounded",
    "I11": "nothing without a subscription",
    "I12": "liveness: all is well again soon after the last fault",
    "I13": "presence: no ghosts, no holes",
    "I15": "metrics say what the recorders saw",
}

KEPT = 10  # violations of an invariant that are told in full

LINE_BITS = 40


def place(file, line):
    return file << LINE_BITS | line


class Findings:
    def __init__(self, files):
        self.files = files
        self.counts = collections.Counter()
        self.violations = collections.Counter()
        self.kept = {invariant: [] for invariant in INVARIANTS}

    def add(self, invariant, text, *places):
        self.violations[invariant] += 1
        kept = self.kept[invariant]
        if len(kept) < KEPT:
            kept.append((text, [place for place in places if place is not None]))

    @property
    def broken(self):
        """The invariants that don't hold."""
        return {invariant for invariant, count in self.violations.items() if count}

    def lines(self):
        """Place -> its line, for all evidence that was kept."""
        wanted = collections.defaultdict(set)
        for kept in self.kept.values():
            for _, places in kept:
                for one in places:
                    wanted[one >> LINE_BITS].add(one & (1 << LINE_BITS) - 1)
        found = {}
        for index, numbers in wanted.items():
            with open(self.files[index], encoding="utf-8") as file:
                last = max(numbers)
                for number, line in enumerate(file, 1):
                    if number in numbers:
                        found[place(index, number)] = line.rstrip("\n")
                    if number == last:
                        break
        return found

    def report(self):
        """Yields the lines of a report."""
        for name, count in sorted(self.counts.items()):
            yield f"{name:32} {count:>12,}"
        lines = self.lines()
        for invariant, meaning in INVARIANTS.items():
            count = self.violations[invariant]
            yield f"{invariant:4} {meaning:75} {'ok' if not count else f'BROKEN {count} times'}"
            for text, places in self.kept[invariant]:
                yield f"     {text}"
                for one in places:
                    yield f"       {self.files[one >> LINE_BITS].name}:{one & (1 << LINE_BITS) - 1}: {lines[one][:300]}"
            if count > KEPT:
                yield f"     and {count - KEPT} more"
