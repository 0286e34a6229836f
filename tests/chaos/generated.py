"""Runs that never took place, as correct ones would be recorded: a small model of channels, histories and sessions,
driven by a seed. Tests of the checker plant their defects in them.
"""
import json
import random
import zlib

import records

STEP = 20_000  # us
HISTORY_SIZE, HISTORY_TTL, BACK_WITHIN = 12, 2, 1
USERS_OF_CHANNEL = 3


class Channel:
    def __init__(self, name, epoch):
        self.name, self.epoch = name, epoch
        self.log = []  # (id, hash, when it came) of this epoch


class Subscriber:
    def __init__(self, name, channel, is_raw):
        self.name, self.channel, self.is_raw = name, channel, is_raw
        self.is_on = False
        self.epoch, self.offset = None, 0
        self.client = None
        self.back_at = None  # the step in which it comes back


class Run:
    """`records` is a list of [file, record], in order; index them before writing with write()."""

    def __init__(self, seed, faults=True, channels=4, steps=300):
        self.random = random.Random(seed)
        self.time, self.step, self.ids, self.epochs, self.clients = 1_000_000, 0, 0, 0, 0
        self.records = []
        self.refusals, self.connections, self.accepted = 0, 0, 0
        self.recoveries = []  # (index of the `subscribed`, subscriber, top that there was)
        self.channels = [Channel(f"c{n}", self.new_epoch()) for n in range(channels)]
        self.subscribers = [Subscriber(f"s{n}", channel, n % 4 == 3)
                            for n, channel in enumerate(self.channels * USERS_OF_CHANNEL)]
        self.add("nemesis", "run", {"seed": seed, "history_size": HISTORY_SIZE, "history_ttl": HISTORY_TTL,
                                    "back_within": BACK_WITHIN, "epoch_ends_on": ["kill relay"], "linger": 1,
                                    "presence_grace": 1, "max_rss": 1 << 30})
        for process in ("relay-1", "edge-1"):
            self.add("nemesis", "process", process, 1, 1)
        for subscriber in self.subscribers:
            self.come(subscriber)
        for _ in range(steps):
            self.publish_some()
        if faults:
            self.go_through_faults(steps)
        self.tick(2 * records.SECOND)
        for _ in range(20):
            self.publish_some()
        self.end()

    # time and records

    def add(self, file, kind, *fields):
        self.time += 1
        self.records.append([file, [kind, self.time, *fields]])

    def tick(self, by=STEP):
        self.time += by
        self.step += 1

    def new_epoch(self):
        self.epochs += 1
        return f"epoch{self.epochs:03}"

    # publications

    def publish_some(self, is_answered=True):
        """Up to three at once: they overlap, and stand in any order."""
        self.tick()
        begun = []
        for _ in range(self.random.randint(1, 3)):
            self.ids += 1
            id_, channel = f"p.{self.ids}", self.random.choice(self.channels)
            via = self.random.choice(["api", "centrifuge"])
            self.add("load", "invoke", id_, channel.name, zlib.crc32(id_.encode()), via)
            begun.append((id_, channel, via))
        self.random.shuffle(begun)
        came = self.time
        for id_, channel, _ in begun:
            channel.log.append((id_, zlib.crc32(id_.encode()), came))
            self.accepted += 1
        answers = [(id_, via, channel.epoch, len(channel.log) - sum(one[1] is channel for one in begun[n + 1:]))
                   for n, (id_, channel, via) in enumerate(begun)]
        self.random.shuffle(answers)
        if is_answered and self.random.random() < 0.5:
            self.answer(answers)
            answers = []
        for subscriber in self.subscribers:
            self.catch_up(subscriber)
        self.answer(answers, is_answered)

    def answer(self, answers, is_answered=True):
        for id_, via, epoch, offset in answers:
            if not is_answered and self.random.random() < 0.5:
                self.add("load", "unknown", id_, 100)
            else:
                self.add("load", "ok", id_, *((epoch, offset) if via == "api" else ("", 0)))

    def refuse(self):
        self.ids += 1
        self.add("load", "invoke", f"p.{self.ids}", self.random.choice(self.channels).name, 1, "api")
        self.add("load", "fail", f"p.{self.ids}", 0)

    # sessions

    def catch_up(self, subscriber):
        channel = subscriber.channel
        while subscriber.is_on and subscriber.offset < len(channel.log):
            id_, hash_, _ = channel.log[subscriber.offset]
            subscriber.offset += 1
            self.add("load", "pub", subscriber.name, channel.name, channel.epoch, subscriber.offset, id_, hash_)

    def go(self, subscriber, back_in):
        if subscriber.is_on:
            self.add("load", "disconnected", subscriber.name, 1006)
            subscriber.is_on = False
        subscriber.back_at = self.step + back_in

    def connect(self, subscriber):
        self.clients += 1
        self.connections += 1
        subscriber.client = "" if subscriber.is_raw else f"client-{self.clients}"
        self.add("load", "connect", subscriber.name, "edge-1")
        self.add("load", "connected", subscriber.name, subscriber.client)

    def come(self, subscriber):
        channel = subscriber.channel
        top = len(channel.log)
        self.connect(subscriber)
        is_new = subscriber.epoch is None
        is_recovered = not is_new and self.can_recover(subscriber)
        is_asked = not is_new
        if not is_new and not is_recovered:
            self.refusals += 1
            if subscriber.is_raw:  # closed, and comes back without a position
                self.add("load", "refused", subscriber.name, channel.name, 3010)
                self.add("load", "disconnected", subscriber.name, 3010)
                self.connect(subscriber)
                is_asked = False
        if not is_recovered:
            subscriber.epoch, subscriber.offset = channel.epoch, top
        else:
            self.recoveries.append((len(self.records), subscriber, top))
        self.add("load", "subscribed", subscriber.name, channel.name, subscriber.epoch, subscriber.offset,
                 is_recovered, is_asked)
        subscriber.is_on, subscriber.back_at = True, None
        self.catch_up(subscriber)

    def can_recover(self, subscriber):
        channel = subscriber.channel
        missed = channel.log[subscriber.offset:]
        is_there = not missed or len(missed) <= HISTORY_SIZE and not self.is_too_old(missed[0])
        return subscriber.epoch == channel.epoch and is_there

    def is_too_old(self, message):
        return self.time - message[2] >= HISTORY_TTL * records.SECOND

    # faults

    def go_through_faults(self, steps):
        """Edges die (sessions come back after a while, some after long), the relay dies (all epochs end), time
        passes."""
        for number, kind in enumerate(self.random.choices(["edge", "relay", "idle"], [4, 2, 2], k=6)):
            self.add("nemesis", "fault", number, "kill", f"{kind}-1")
            for subscriber in self.subscribers:
                if kind == "relay" or self.random.random() < 0.4:
                    self.go(subscriber, self.random.randint(1, 60))
            for _ in range(3):
                self.publish_some(is_answered=False)
                self.refuse()
            if kind == "relay":
                for channel in self.channels:
                    channel.epoch, channel.log = self.new_epoch(), []
            if kind == "idle":
                self.tick(HISTORY_TTL * records.SECOND + STEP)
            for _ in range(steps // 6):
                self.publish_some()
                self.bring_back(lambda subscriber: subscriber.back_at <= self.step)
            self.add("nemesis", "healed", number)
        self.bring_back(lambda _: True)

    def bring_back(self, is_due):
        for subscriber in self.subscribers:
            if not subscriber.is_on and is_due(subscriber):
                self.come(subscriber)

    # the end

    def end(self):
        self.tick(2 * records.SECOND // 10)
        for channel in self.channels:
            kept = [[offset, id_, hash_] for offset, (id_, hash_, came) in enumerate(channel.log, 1)
                    if offset > len(channel.log) - HISTORY_SIZE and not self.is_too_old((id_, hash_, came))]
            self.add("snapshots", "history", channel.name, channel.epoch, len(channel.log), kept)
            members = [[one.client or f"raw-{one.name}", one.name]
                       for one in self.subscribers if one.channel is channel]
            self.add("snapshots", "presence", channel.name, members)
        clients = sum(record[0] == "invoke" and record[5] == "centrifuge" for _, record in self.records)
        edge = {"heddle_client_publications_total": clients, "heddle_client_unrecovered_total": self.refusals,
                "heddle_client_accepted_total": self.connections, "process_resident_memory_bytes": 1 << 20}
        relay = {'heddle_relay_publications_total{result="accepted"}': self.accepted,
                 "process_resident_memory_bytes": 1 << 20}
        count = len(self.subscribers)
        self.add("snapshots", "metrics", "edge-1", "quiet", {**edge, "heddle_client_connections": count,
                                                             "heddle_client_subscriptions": count})
        for subscriber in self.subscribers:
            self.add("load", "leave", subscriber.name)
        self.add("snapshots", "metrics", "edge-1", "rest", {**edge, "heddle_client_connections": 0,
                                                            "heddle_client_subscriptions": 0})
        self.add("snapshots", "metrics", "relay-1", "rest", relay)

    # for tests

    def of(self, *kinds):
        """The indices of records of these kinds."""
        return [index for index, (_, record) in enumerate(self.records) if record[0] in kinds]

    def write(self, folder):
        """As the recorders would; the order of records with one time is that of the list."""
        lines = {}
        for file, record in sorted(self.records, key=lambda entry: entry[1][1]):
            lines.setdefault(file, []).append(record)
        for file, found in lines.items():
            found.insert(0, ["begin", found[0][1], records.FORMAT, file])
            found.append(["end", found[-1][1], len(found)])
            text = "".join(json.dumps(record) + "\n" for record in found)
            (folder / f"{file}.jsonl").write_text(text)
