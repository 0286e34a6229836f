"""A run's records but for what sessions saw: publications, faults, snapshots, settings. The first of two passes."""
import collections

from findings import place
from records import KINDS, SESSION_KINDS, SETTINGS, Broken, read
from streams import MAX_JUMP, Publication

Fault = collections.namedtuple("Fault", "number kind target begin place")
History = collections.namedtuple("History", "at place epoch offset publications")
Presence = collections.namedtuple("Presence", "at place channel members")
Metrics = collections.namedtuple("Metrics", "at place process moment values")


class Recording:
    def __init__(self, files, streams, findings):
        self.files, self.streams, self.findings = files, streams, findings
        self.settings = None
        self.faults = []
        self.healed = {}                                # number -> when
        self.read_histories = []
        self.histories = {}                             # channel -> the last one that was read
        self.presences = collections.defaultdict(list)  # channel -> snapshots
        self.metrics = []
        self.starts = collections.Counter()             # process -> how often it was started
        for index, path in enumerate(files):
            for number, record in read(path, only=KINDS.keys() - SESSION_KINDS):
                getattr(self, "take_" + record[0])(place(index, number), *record[1:])
        self.finish()

    # publications

    def take_invoke(self, where, at, id_, channel, hash_, via):
        if id_ in self.streams.publications:
            raise Broken(f"the id {id_} was used twice")
        self.streams.publications[id_] = Publication(id_, channel, hash_, via, at, where)
        self.findings.counts[f"published by {via}"] += 1

    def answer(self, where, at, id_, state):
        publication = self.streams.publications.get(id_)
        if publication is None or publication.state != "open":
            raise Broken(f"an answer that nothing waits for: {id_}")
        publication.state, publication.answered, publication.answer_place = state, at, where
        self.findings.counts[{"ok": "acknowledged", "fail": "refused for certain"}.get(state, state)] += 1
        return publication

    def take_ok(self, where, at, id_, epoch, offset):
        publication = self.answer(where, at, id_, "ok")
        if not epoch:
            return
        publication.epoch, publication.offset = epoch, offset
        stream = self.streams.stream(publication.channel, epoch)
        stream.notice(at)
        stream.told_top = max(stream.told_top, offset)
        there = stream.claims.setdefault(offset, publication)
        if there is not publication:
            self.findings.add("I2", f"{publication.channel} {epoch}:{offset} was acknowledged to two",
                              there.answer_place, where)

    def take_fail(self, where, at, id_, _code):
        self.answer(where, at, id_, "fail")

    def take_unknown(self, where, at, id_, _code):
        self.answer(where, at, id_, "unknown")

    # the run

    def take_run(self, where, _at, settings):
        if self.settings is not None:
            raise Broken("two records of the kind `run`")
        strange = set(settings) - set(SETTINGS)
        if strange:
            raise Broken(f"settings that nobody knows: {', '.join(sorted(strange))}")
        self.settings = {**SETTINGS, **settings}

    def take_process(self, _where, _at, process, _pid, start):
        self.starts[process] = max(self.starts[process], start)

    def take_fault(self, where, at, number, kind, target):
        self.faults.append(Fault(number, kind, target, at, where))

    def take_healed(self, _where, at, number):
        self.healed[number] = at

    # snapshots

    def take_history(self, where, at, channel, epoch, offset, publications):
        self.read_histories.append((channel, History(at, where, epoch, offset, publications)))

    def take_presence(self, where, at, channel, members):
        self.presences[channel].append(Presence(at, where, channel, [tuple(member) for member in members]))

    def take_metrics(self, where, at, process, moment, values):
        self.metrics.append(Metrics(at, where, process, moment, values))

    def take_begin(self, *_):
        pass

    def take_end(self, *_):
        pass

    def finish(self):
        if self.settings is None:
            raise Broken("no record of the kind `run`")
        for channel, history in self.read_histories:
            self.put_history(channel, history)
        for publication in self.streams.publications.values():
            if publication.state == "ok" and publication.channel not in self.histories:
                raise Broken(f"the history of {publication.channel} was never read")
        self.findings.counts["faults"] = len(self.faults)
        for fault in self.faults:
            if fault.number not in self.healed:
                self.findings.add("I12", f"fault {fault.number} was never healed", fault.place)

    def put_history(self, channel, history):
        if channel not in self.histories or self.histories[channel].at < history.at:
            self.histories[channel] = history
        stream = self.streams.stream(channel, history.epoch)
        stream.notice(history.at)
        stream.told_top = max(stream.told_top, history.offset)
        for offset, id_, hash_ in history.publications:
            self.streams.see(stream, offset, id_, hash_, history.at, history.place)
        offsets = [one[0] for one in history.publications]
        for before, after in zip(offsets, offsets[1:]):
            if before + 1 < after <= before + MAX_JUMP:
                stream.jumped.update(range(before + 1, after))

    @property
    def last_healed(self):
        """When the last fault ended; None if there was none."""
        return max((self.healed.get(fault.number, fault.begin) for fault in self.faults), default=None)

    def faults_between(self, begin, end, linger):
        """Those that can have been felt in that time."""
        return [fault for fault in self.faults
                if fault.begin <= end and self.healed.get(fault.number, end) + linger >= begin]
