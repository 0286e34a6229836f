"""What can be said when all is read: I3, I4 (gaps), I5 (causes), I6, I8, I9, I12, I13; metrics are in accounts.py."""
from records import SECOND


def judge(recording, streams, sessions, findings):
    lost = find_lost(recording, streams)
    judge_gaps(sessions, lost, findings)
    judge_refusals(recording, sessions, findings)
    judge_histories(recording, streams, lost, findings)
    judge_losses(recording, streams, lost, findings)
    judge_real_time(streams, findings)
    judge_epochs(recording, streams, findings)
    judge_publishing(streams, sessions, findings)
    judge_presence(recording, sessions, findings)


def judge_gaps(sessions, lost, findings):
    """A session went past positions. Others saw them: it was not in order (I4). Nobody did: nothing ever stood there
    (I3), unless that was acknowledged, which judge_losses finds."""
    holes = set()
    for gap in sessions.gaps:
        offsets = range(gap.first, gap.last + 1)
        seen = [offset for offset in offsets if offset in gap.stream.log]
        if seen:
            findings.add("I4", f"{gap.stream.channel} {gap.stream.epoch}: a session went past {gap.first} to "
                         f"{gap.last}, of which others saw {len(seen)}", gap.before, gap.place,
                         gap.stream.log[seen[0]].place)
            continue
        for offset in offsets:
            is_lost = offset in gap.stream.claims or lost[gap.stream.channel]
            if not is_lost and (gap.stream, offset) not in holes:
                holes.add((gap.stream, offset))
                findings.add("I3", f"{gap.stream.channel} {gap.stream.epoch}: nothing ever stood at {offset}",
                             gap.before, gap.place)


# --- I5: why a position was refused ---

def published_after(stream, offset):
    """A time that is not later than that at which the message behind `offset` came into the stream, and where that is
    known from: its own invocation, or that of one before it. None if nothing is known."""
    for known in (offset + 1, offset):
        publication = stream.log.get(known) or stream.claims.get(known)
        if publication:
            return publication.invoked, publication.place
    return None, None


def end_of_epoch(refusal, recording):
    settings = recording.settings
    enders = settings["epoch_ends_on"]
    faults = [fault for fault in recording.faults_between(refusal.last_at, refusal.at, settings["linger"] * SECOND)
              if enders is None or any(f"{fault.kind} {fault.target}".startswith(one) for one in enders)]
    return ("epoch", None) if faults else (None, "the epoch ended without a fault that may end it")


def is_epoch_over(refusal, recording):
    """Whether another epoch had begun when a position in this one was refused. The edge that refused knew; the one to
    which the subscriber went on may still have been where the old epoch ended, and told it so."""
    latest = refusal.at + recording.settings["linger"] * SECOND
    return any(refusal.stream.known < other.known <= latest
               for other in recording.streams.in_order(refusal.stream.channel))


def gap_in_epoch(refusal, recording):
    settings = recording.settings
    missed = refusal.new_offset - refusal.offset
    if missed > min(settings["history_size"], settings["recover_limit"]):
        return "size", None
    if missed <= 0:
        return None, "nothing was missed"
    since, _ = published_after(refusal.stream, refusal.offset)
    if since is None or refusal.at - since >= settings["history_ttl"] * SECOND:
        return "ttl", None
    return None, f"{missed} missed, the oldest of them {(refusal.at - since) / SECOND:.1f} s old at most"


def cause_of(refusal, recording):
    """(cause, None) if the refusal is justified, else (None, why not)."""
    if refusal.epoch != refusal.stream.epoch:
        return end_of_epoch(refusal, recording)
    cause, why_not = gap_in_epoch(refusal, recording)
    if not cause and is_epoch_over(refusal, recording):
        cause, _ = end_of_epoch(refusal, recording)
    return cause, None if cause else why_not


def judge_refusals(recording, sessions, findings):
    """A refusal is justified if

    epoch   the epoch is another one, or the same but over, and a fault that may end epochs was on (or had been,
            `linger` ago at most) between the session's last record in the old epoch and the refusal;
    size    more was missed, up to the position that it was told, than history_size or recover_limit;
    ttl     the oldest that was missed was, or can have been, history_ttl old.
    """
    findings.counts["refusals"] = len(sessions.refusals)
    for refusal in sessions.refusals:
        stream = refusal.stream
        is_back = refusal.epoch == stream.epoch and refusal.new_offset < refusal.offset
        if is_back and not is_epoch_over(refusal, recording):
            findings.add("I8", f"{refusal.subscriber}: the top of {stream.channel} {stream.epoch} went back from "
                         f"{refusal.offset} to {refusal.new_offset}", refusal.before, refusal.place)
            continue
        cause, why_not = cause_of(refusal, recording)
        if cause:
            findings.counts[f"refusals justified by {cause}"] += 1
        else:
            findings.add("I5", f"{refusal.subscriber} could not go on at {stream.epoch}:{refusal.offset} of "
                         f"{stream.channel}: {why_not}", refusal.before, refusal.place,
                         published_after(stream, refusal.offset)[1])


# --- I3, I6: what is left in the end ---

def judge_histories(recording, streams, lost, findings):
    for channel, history in recording.histories.items():
        stream = streams.stream(channel, history.epoch)
        offsets = [one[0] for one in history.publications]
        where = f"the history of {channel} {history.epoch}"
        if stream.seen_top > history.offset:
            findings.add("I6", f"{where} is at {history.offset}, but {stream.seen_top} was seen", history.place,
                         stream.log[stream.seen_top].place)
        if offsets and offsets[-1] != history.offset:
            findings.add("I6", f"{where} ends at {offsets[-1]}, its top is {history.offset}", history.place)
        for before, after in zip(offsets, offsets[1:]):
            missing = range(before + 1, after)
            if after <= before:
                findings.add("I4", f"{where} has {after} behind {before}", history.place)
            elif lost[channel] or any(offset in stream.log or offset in stream.claims for offset in missing):
                findings.add("I6", f"{where} has nothing at {before + 1} to {after - 1}", history.place)
            elif missing:
                findings.add("I3", f"{where} has nothing at {before + 1} to {after - 1}", history.place)
        judge_beginning(recording, stream, history, offsets, where, findings)


def judge_beginning(recording, stream, history, offsets, where, findings):
    """It begins no later than size and ttl make it."""
    newest_gone = (offsets[0] if offsets else history.offset + 1) - 1
    if newest_gone < 1 or len(offsets) >= recording.settings["history_size"]:
        return
    publication = stream.log.get(newest_gone) or stream.claims.get(newest_gone)
    age = (history.at - publication.invoked) / SECOND if publication else None
    if age is not None and age < recording.settings["history_ttl"]:
        findings.add("I6", f"{where} has nothing at {newest_gone}, which is {age:.1f} s old at most", history.place,
                     publication.place)


def has_vanished(publication, ordered):
    """It can have stood at the end of an epoch that ended, behind all that anybody saw."""
    return any(publication.invoked < after.known and publication.answered >= before.last_invoked
               for before, after in zip(ordered, ordered[1:]))


def blind_spots(stream, history):
    """How many positions nobody had to see, and nobody did."""
    is_last = history is not None and history.epoch == stream.epoch
    top = history.offset if is_last else stream.seen_top
    unseen_below = top - sum(1 for offset in stream.log if offset <= top)
    jumped = sum(1 for offset in stream.jumped if offset not in stream.log and offset <= top)
    claimed = sum(1 for offset in stream.claims if offset not in stream.log and offset not in stream.jumped and
                  offset <= top)
    return max(0, unseen_below - jumped - claimed)


def find_lost(recording, streams):
    """Channel -> its publications that were acknowledged without a position, that nobody saw, and for which there is
    no place where they can stand unseen."""
    unseen = {channel: [] for channel in streams.channels}
    for publication in streams.publications.values():
        if publication.state == "ok" and not publication.epoch and publication.stream is None:
            unseen[publication.channel].append(publication)
    return {channel: without_place(channel, publications, recording, streams)
            for channel, publications in unseen.items()}


def without_place(channel, publications, recording, streams):
    ordered = streams.in_order(channel)
    missing = [one for one in publications if not has_vanished(one, ordered)]
    history = recording.histories.get(channel)
    blind = sum(blind_spots(stream, history) for stream in ordered)
    return missing[:max(0, len(missing) - blind)]


def judge_losses(recording, streams, lost, findings):
    """Each acknowledged publication was seen, or stands where nobody had to look, or went with its epoch's end."""
    for publication in streams.publications.values():
        if publication.state == "ok":
            if publication.epoch:
                judge_claim(publication, recording, streams, findings)
            elif publication.stream is None:
                findings.counts["acknowledged and unseen"] += 1
    for channel, publications in lost.items():
        for publication in publications:
            findings.add("I6", f"{publication.id} was acknowledged and is nowhere", publication.place,
                         publication.answer_place, recording.histories[channel].place)


def judge_claim(publication, recording, streams, findings):
    stream, offset = streams.stream(publication.channel, publication.epoch), publication.offset
    there = stream.log.get(offset)
    if there is publication:
        return
    evidence = (publication.place, publication.answer_place)
    name = f"{publication.id}, acknowledged at {stream.channel} {stream.epoch}:{offset},"
    if there is not None:
        if publication.stream is not stream:
            findings.add("I6", f"{name} is not there, but {there.id}", *evidence, there.place)
        return
    if publication.stream is stream:
        findings.add("I2", f"{name} was seen at {publication.seen_offset}", *evidence)
        return
    history = recording.histories[publication.channel]
    is_last = history.epoch == stream.epoch
    first_kept = history.publications[0][0] if history.publications else history.offset + 1
    if offset in stream.jumped or is_last and (offset > history.offset or offset >= first_kept):
        findings.add("I6", f"{name} is not there", *evidence, history.place)
    elif not is_last and offset > stream.seen_top:
        findings.counts["gone with their epoch"] += 1
    else:
        findings.counts["acknowledged and unseen"] += 1


# --- I8, I9: the order of time ---

def judge_real_time(streams, findings):
    for epochs in streams.channels.values():
        for stream in epochs.values():
            positions = {**stream.claims, **stream.log}
            judge_stream_times(stream, positions, findings)


def judge_stream_times(stream, positions, findings):
    """What was in the stream before another one was published stands before that one."""
    begun = sorted((publication.invoked, offset) for offset, publication in positions.items())
    finished = sorted((done, offset) for offset, publication in positions.items()
                      if (done := publication.finished()) is not None)
    top, index = 0, 0
    for invoked, offset in begun:
        while index < len(finished) and finished[index][0] < invoked:
            top = max(top, finished[index][1])
            index += 1
        if offset < top:
            early, late = positions[top], positions[offset]
            findings.add("I8", f"{stream.channel} {stream.epoch}: {late.id} at {offset} was published when {early.id} "
                         f"already stood at {top}", early.place, early.answer_place, late.place, late.answer_place)


def judge_epochs(recording, streams, findings):
    for channel in streams.channels:
        ordered = streams.in_order(channel)
        findings.counts["epochs"] += len(ordered)
        for index, stream in enumerate(ordered):
            ended = min((one for one in ordered[index + 1:] if one.seen is not None), key=lambda one: one.seen,
                        default=None)
            if ended is not None:
                judge_end(stream, ended, findings)
        history = recording.histories.get(channel)
        if history and ordered[-1].epoch != history.epoch:
            findings.add("I9", f"the history of {channel} is of {history.epoch}, but {ordered[-1].epoch} came later",
                         history.place, ordered[-1].seen_place)


def judge_end(stream, successor, findings):
    """Nothing published behind the time at which a session saw the next epoch is acknowledged in this one."""
    for offset, publication in {**stream.log, **stream.claims}.items():
        if publication.state == "ok" and publication.invoked > successor.seen:
            findings.add("I9", f"{publication.id} was acknowledged at {stream.channel} {stream.epoch}:{offset}, when "
                         f"{successor.epoch} had begun", successor.seen_place, publication.place,
                         publication.answer_place)


# --- I12, I13: in the end ---

def judge_publishing(streams, sessions, findings):
    for publication in streams.publications.values():
        if publication.state == "open":
            findings.add("I12", f"{publication.id} was never answered", publication.place)
        elif publication.state != "ok" and publication.invoked > sessions.steady_from:
            findings.add("I12", f"{publication.id} failed though nothing was wrong any more", publication.place,
                         publication.answer_place)


PRESENT_AFTER = SECOND  # a subscriber is listed so long after it was told that it is subscribed, at the latest


def judge_presence(recording, sessions, findings):
    grace = recording.settings["presence_grace"] * SECOND
    for channel, snapshots in recording.presences.items():
        stays = sessions.stays[channel]
        for snapshot in snapshots:
            findings.counts["presence snapshots"] += 1
            judge_snapshot(snapshot, stays, grace, findings)


def judge_snapshot(snapshot, stays, grace, findings):
    """Raw clients don't know their ids: they are told apart by their users."""
    listed = {}
    for client, user in snapshot.members:
        listed[client] = user
    users = set(listed.values())
    known = {stay.client for stay in stays if stay.client}
    for stay in stays:
        is_due = stay.begin + PRESENT_AFTER < snapshot.at < stay.end
        if is_due and (stay.client not in listed if stay.client else stay.user not in users):
            findings.add("I13", f"{stay.user} is in {snapshot.channel} and isn't listed", snapshot.place, stay.place)
    allowed = {stay.client or stay.user for stay in stays
               if stay.begin - grace <= snapshot.at <= stay.end + grace}
    for client, user in listed.items():
        if client not in allowed and (client in known or user not in allowed):
            findings.add("I13", f"{user or client} is listed in {snapshot.channel} and isn't there", snapshot.place)
