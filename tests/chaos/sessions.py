"""What sessions saw, checked record by record: the second of two passes. I1, I2, I4, I5, I7, I9, I11, I12.

What can be judged only when all that everybody saw is known (why a position was refused, whether others saw what
a session went past) is put by for verdicts.py.
"""
import collections

from findings import place
from records import SECOND, SESSION_KINDS, read
from streams import MAX_JUMP

Gap = collections.namedtuple("Gap", "stream first last before place")
Refusal = collections.namedtuple("Refusal", "subscriber stream offset last_at before at place epoch new_offset")
Stay = collections.namedtuple("Stay", "client user begin end place")  # of a subscriber in a channel


class Subscriber:
    __slots__ = ("name", "client", "subscriptions", "left")

    def __init__(self, name):
        self.name = name
        self.client = None       # the id of its connection; "" for raw, None before it has had one
        self.subscriptions = {}
        self.left = None         # when


class Subscription:
    __slots__ = ("channel", "is_on", "stream", "offset", "at", "place", "on_since", "off_since", "refused", "past")

    def __init__(self, channel):
        self.channel = channel
        self.is_on = False
        self.stream = None       # with the offset: its position
        self.offset = 0
        self.at = 0              # of the last record, and where that is
        self.place = None
        self.on_since = None
        self.off_since = None    # None also before it was on for the first time
        self.refused = None      # place and time of a `refused` that `subscribed` hasn't followed yet
        self.past = []           # epochs that it has left


class Sessions:
    def __init__(self, recording, streams, findings):
        self.recording, self.streams, self.findings = recording, streams, findings
        self.subscribers = {}
        self.gaps = []
        self.refusals = []
        self.stays = collections.defaultdict(list)
        healed = recording.last_healed
        self.steady_from = 0 if healed is None else healed + recording.settings["back_within"] * SECOND
        handlers = {kind: getattr(self, "take_" + kind) for kind in SESSION_KINDS}
        for index, path in enumerate(recording.files):
            for number, record in read(path, only=SESSION_KINDS):
                handler = handlers.get(record[0])
                if handler:
                    handler(place(index, number), *record[1:])
        for subscriber in self.subscribers.values():
            if subscriber.left is None:
                self.findings.add("I12", f"{subscriber.name}: its records end before it leaves",
                                  *(one.place for one in subscriber.subscriptions.values()))
        self.findings.counts["subscribers"] = sum(1 for one in self.subscribers.values() if one.subscriptions)

    def subscriber(self, name):
        found = self.subscribers.get(name)
        if found is None:
            found = self.subscribers[name] = Subscriber(name)
        return found

    def subscription(self, name, channel):
        subscriptions = self.subscriber(name).subscriptions
        found = subscriptions.get(channel)
        if found is None:
            found = subscriptions[channel] = Subscription(channel)
        return found

    # connections

    def take_connect(self, _where, _at, name, _edge):
        self.subscriber(name)

    def take_connected(self, _where, _at, name, client):
        self.findings.counts["connections"] += 1
        self.subscriber(name).client = client

    def take_disconnected(self, where, at, name, code):
        self.findings.counts[f"disconnected with {code}"] += 1
        subscriber = self.subscriber(name)
        for subscription in subscriber.subscriptions.values():
            self.turn_off(subscriber, subscription, where, at)

    def take_leave(self, where, at, name):
        subscriber = self.subscriber(name)
        subscriber.left = at
        for subscription in subscriber.subscriptions.values():
            self.check_tail(name, subscription, where, at)
            self.turn_off(subscriber, subscription, where, at)

    def check_tail(self, name, subscription, where, at):
        if not subscription.is_on:
            self.findings.add("I12", f"{name} is not back on {subscription.channel}", subscription.place, where)
            return
        history = self.recording.histories.get(subscription.channel)
        if history is None or at < history.at:
            return
        if history.epoch != subscription.stream.epoch:
            self.findings.add("I12", f"{name} is left in the epoch {subscription.stream.epoch} of "
                              f"{subscription.channel}", subscription.place, history.place)
        elif subscription.offset < history.offset:
            self.findings.add("I12", f"{name} has not got the end of {subscription.channel}: "
                              f"{subscription.offset} of {history.offset}", subscription.place, history.place)

    # subscriptions

    def turn_on(self, name, subscription, where, at):
        if subscription.off_since is not None and at > self.steady_from:
            self.findings.add("I12", f"{name} was off {subscription.channel} until "
                              f"{(at - self.steady_from) / SECOND:.1f} s behind the time to be back",
                              subscription.place, where)
        subscription.is_on, subscription.off_since = True, None
        subscription.on_since = at

    def turn_off(self, subscriber, subscription, where, at):
        if subscription.is_on:
            subscription.is_on, subscription.off_since = False, at
            if subscription.channel in self.recording.presences:
                self.stays[subscription.channel].append(
                    Stay(subscriber.client, subscriber.name, subscription.on_since, at, where))
        subscription.place = where

    def take_unsubscribed(self, where, at, name, channel, code):
        self.findings.counts[f"unsubscribed with {code}"] += 1
        self.turn_off(self.subscriber(name), self.subscription(name, channel), where, at)

    def take_refused(self, where, at, name, channel, _code):
        self.subscription(name, channel).refused = (where, at)

    def take_subscribed(self, where, at, name, channel, epoch, offset, recovered, recovering):
        subscription = self.subscription(name, channel)
        stream = self.streams.stream(channel, epoch)
        stream.notice_by_session(at, where)
        stream.told_top = max(stream.told_top, offset)
        if subscription.stream is not None:
            self.check_return(name, subscription, where, at, stream, offset, recovered, recovering)
        subscription.stream, subscription.offset = stream, offset
        subscription.refused = None
        self.turn_on(name, subscription, where, at)
        subscription.at, subscription.place = at, where

    def check_return(self, name, subscription, where, at, stream, offset, recovered, recovering):
        """It had a position already."""
        old = subscription.stream
        if stream is not old:
            if stream.epoch in subscription.past:
                self.findings.add("I9", f"{name} is back in the epoch {stream.epoch} of {stream.channel}",
                                  subscription.place, where)
            subscription.past.append(old.epoch)
        if recovered:
            self.findings.counts["recovered"] += 1
            if stream is not old or offset != subscription.offset:
                self.findings.add("I5", f"{name} was at {old.epoch}:{subscription.offset} of {old.channel} and is said "
                                  f"to go on at {stream.epoch}:{offset}", subscription.place, where)
            return
        if not recovering and subscription.refused is None:
            self.findings.add("I5", f"{name} has lost its position {old.epoch}:{subscription.offset} of {old.channel} "
                              "without a word", subscription.place, where)
            return
        told_place, told_at = subscription.refused or (where, at)
        self.refusals.append(Refusal(name, old, subscription.offset, subscription.at, subscription.place, told_at,
                                     told_place, stream.epoch, offset))

    def take_pub(self, where, at, name, channel, epoch, offset, id_, hash_):
        subscription = self.subscription(name, channel)
        self.findings.counts["delivered"] += 1
        stream = subscription.stream
        if not subscription.is_on:
            self.findings.add("I11", f"{name} gets {id_} of {channel} without a subscription", subscription.place,
                              where)
            stream = self.streams.stream(channel, epoch)
        elif epoch != stream.epoch:
            self.findings.add("I5", f"{name}: from the epoch {stream.epoch} of {channel} to {epoch} without a word",
                              subscription.place, where)
            stream = self.streams.stream(channel, epoch)
            stream.notice_by_session(at, where)
        elif offset != subscription.offset + 1:
            self.miscount(name, subscription, where, offset, id_)
        self.streams.see(stream, offset, id_, hash_, at, where)
        subscription.stream, subscription.offset = stream, offset
        subscription.at, subscription.place = at, where

    def miscount(self, name, subscription, where, offset, id_):
        stream, expected = subscription.stream, subscription.offset + 1
        if expected < offset <= expected + MAX_JUMP:
            stream.jumped.update(range(expected, offset))
            self.gaps.append(Gap(stream, expected, offset - 1, subscription.place, where))
            return
        self.findings.add("I4", f"{name}: {id_} of {stream.channel} comes at {stream.epoch}:{offset}, where {expected} "
                          "was to come", subscription.place, where)
