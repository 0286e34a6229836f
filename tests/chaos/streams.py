"""The publications of a run and the streams that they stand in, as all observers together know them.

A stream is one epoch of one channel. It is put together from what subscribers were delivered, what was read from
histories, and the positions that acknowledgements claim. Memory goes with the publications, not with deliveries.
"""

MAX_JUMP = 100_000  # of a gap whose offsets are remembered one by one


class Publication:
    __slots__ = ("id", "channel", "hash", "via", "invoked", "place", "state", "answered", "answer_place", "epoch",
                 "offset", "stream", "seen_offset", "seen")

    def __init__(self, id_, channel, hash_, via, invoked, place):
        self.id, self.channel, self.hash, self.via = id_, channel, hash_, via
        self.invoked, self.place = invoked, place
        self.state = "open"       # open, ok, fail, unknown
        self.answered = None      # when
        self.answer_place = None
        self.epoch = None         # claimed by the acknowledgement, with the offset
        self.offset = 0
        self.stream = None        # the first one in which it was seen, with the offset there
        self.seen_offset = 0
        self.seen = None          # when, for the first time that is known

    def finished(self):
        """From when on it certainly stood in the channel, or None."""
        acknowledged = self.answered if self.state == "ok" else None
        if acknowledged is None or self.seen is None:
            return self.seen if acknowledged is None else acknowledged
        return min(acknowledged, self.seen)


class Stream:
    __slots__ = ("channel", "epoch", "log", "claims", "jumped", "seen_top", "told_top", "known", "seen", "seen_place",
                 "last_invoked")

    def __init__(self, channel, epoch):
        self.channel, self.epoch = channel, epoch
        self.log = {}             # offset -> publication that somebody saw there
        self.claims = {}          # offset -> publication that was acknowledged there
        self.jumped = set()       # offsets that some session or history went past without having them
        self.seen_top = 0         # the highest of `log`
        self.told_top = 0         # the highest that anybody was told
        self.known = None         # when it is known to exist, from whatever source
        self.seen = None          # when a session saw it first, and where
        self.seen_place = None
        self.last_invoked = 0     # the latest invocation of what is in the log

    def notice(self, at):
        if self.known is None or at < self.known:
            self.known = at

    def notice_by_session(self, at, place):
        self.notice(at)
        if self.seen is None or at < self.seen:
            self.seen, self.seen_place = at, place


class Streams:
    """All channels' streams, and the rules of what may stand in them: I1, I2, I7."""

    def __init__(self, findings):
        self.findings = findings
        self.publications = {}
        self.channels = {}        # name -> {epoch: Stream}

    def stream(self, channel, epoch):
        epochs = self.channels.get(channel)
        if epochs is None:
            epochs = self.channels[channel] = {}
        found = epochs.get(epoch)
        if found is None:
            found = epochs[epoch] = Stream(channel, epoch)
        return found

    def in_order(self, channel):
        """The channel's streams, the oldest first."""
        streams = self.channels.get(channel, {}).values()
        return sorted((one for one in streams if one.known is not None), key=lambda one: one.known)

    def see(self, stream, offset, id_, hash_, at, place):
        """Somebody saw this publication at this position."""
        publication = self.publications.get(id_)
        if publication is None:
            self.findings.add("I1", f"{id_!r} was never published", place)
            return
        if hash_ != publication.hash:
            self.findings.add("I1", f"{id_}: another payload than was published", publication.place, place)
        if publication.stream is stream and publication.seen_offset == offset:
            if at < publication.seen:
                publication.seen = at
        else:
            self.put(stream, offset, publication, at, place)
        if at < publication.invoked:
            self.findings.add("I1", f"{id_} was seen before it was published", publication.place, place)

    def put(self, stream, offset, publication, at, place):
        """The first time that it is seen there."""
        if publication.channel != stream.channel:
            self.findings.add("I1", f"{publication.id} was published to {publication.channel} and seen in "
                              f"{stream.channel}", publication.place, place)
            return
        if publication.state == "fail":
            self.findings.add("I7", f"{publication.id} was refused for certain", publication.place,
                              publication.answer_place, place)
        self.put_in_log(stream, offset, publication, place)
        self.put_in_publication(stream, offset, publication, at, place)

    def put_in_log(self, stream, offset, publication, place):
        there = stream.log.setdefault(offset, publication)
        if there is not publication:
            self.findings.add("I2", f"{stream.channel} {stream.epoch}:{offset} is {there.id} and {publication.id}",
                              there.place, publication.place, place)
            return
        if offset > stream.seen_top:
            stream.seen_top = offset
            stream.told_top = max(stream.told_top, offset)
        stream.last_invoked = max(stream.last_invoked, publication.invoked)

    def put_in_publication(self, stream, offset, publication, at, place):
        if publication.stream is None:
            publication.stream, publication.seen_offset, publication.seen = stream, offset, at
        elif publication.stream is stream:
            self.findings.add("I2", f"{publication.id} is at {stream.epoch}:{publication.seen_offset} and at "
                              f"{stream.epoch}:{offset}", publication.place, place)
        else:
            publication.seen = min(publication.seen, at)
            self.findings.counts["sightings in a second epoch"] += 1
